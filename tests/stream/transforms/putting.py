"""Records as they were put, for tests."""

import numpy as np
import pyarrow as pa

from schemas.records import Records
from stream.transforms.lambda_event import Stream

ARN = "arn:aws:firehose:us-east-1:000000000000:deliverystream/capture-enriched"
STREAM = Stream(ARN, f"{ARN}@1767323000000")
START = 1_767_323_045_123


def put(*data: bytes, first: int = 1) -> Records:
    """Records numbered from `first`, one a millisecond."""
    numbers = np.arange(len(data))
    return Records(pa.array(data, pa.binary()), START + numbers, first + numbers)
