"""Names of a delivery stream's records that stay the same over retries and restarts."""

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

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


def document_ids(identity: str, sequence: NDArray[np.int64]) -> list[str]:
    """Ids of documents: the sequence number and, behind a dot, the place among those that share it.

    `sequence` ascends, shape (records,).

    >>> [text[-4:] for text in document_ids("a stream", np.array([7, 8, 8]))]
    ['07.0', '08.0', '08.1']
    """
    place = np.arange(len(sequence)) - np.searchsorted(sequence, sequence)
    texts = sequence_texts(identity, sequence.tolist())
    return [f"{text}.{sub}" for text, sub in zip(texts, place.tolist(), strict=True)]
