"""Labels out of records of ground truth, and the records that hold none."""

import numpy as np
import pyarrow as pa

from schemas import ground_truth
from schemas.errors import BadRecord
from schemas.ground_truth import Labels
from stream.joining.join import ReadValues


def read(records: pa.BinaryArray, read_values: ReadValues) -> Labels:
    """The labels of `records` whose payload `read_values` can read; the others are `bad`, in order."""
    found = ground_truth.read(records)
    unreadable = np.asarray(read_values(found.text).is_null())
    bad = dict(found.bad)
    for record in found.record[unreadable].tolist():
        bad[record] = BadRecord("label", "the label cannot be told from its payload")
    good = pa.array(~unreadable)
    return Labels(
        found.id.filter(good), found.text.filter(good), found.record[~unreadable], dict(sorted(bad.items()))
    )
