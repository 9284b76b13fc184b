"""The service model that botocore ships: what operations there are, and what each reads."""

from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape

TARGET = "Firehose_20150804."


@cache
def _service() -> ServiceModel:
    document: dict[str, Any] = Loader().load_service_model("firehose", "service-2")
    return ServiceModel(document)


@cache
def operations() -> frozenset[str]:
    """The names of all operations."""
    return frozenset(_service().operation_names)


@cache
def input_of(operation: str) -> Shape:
    """What an operation reads."""
    shape: Shape = _service().operation_model(operation).input_shape
    return shape
