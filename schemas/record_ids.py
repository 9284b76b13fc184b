"""Names of a delivery stream's records that stay the same over retries and restarts."""

import hashlib
from collections.abc import Iterable

DIGITS = 56  # of a sequence number, as AWS writes them


def sequence_texts(identity: str, sequences: Iterable[int]) -> list[str]:
    """Sequence numbers as AWS writes them: 56 digits that begin with 49.

    The digits between are those of `identity`, which must differ between a stream and a later one of the
    same name: both count from one, and a document of the one must not replace a document of the other.

    >>> sequence_texts("a stream", [7])
    ['49388791114453815241073869778583516110000000000000000007']
    """
    width = DIGITS - 2 - 19  # 19 digits hold any 64-bit number
    digest = int.from_bytes(hashlib.sha256(identity.encode()).digest())
    head = f"49{digest % 10**width:0{width}d}"
    return [f"{head}{sequence:019d}" for sequence in sequences]
