"""Prefix expressions are checked by the code that evaluates them."""

from importlib import import_module, util

from stream.ingest.faults import invalid

_MODULE = "stream.firehose.prefix"


def check(prefix: str | None, error_prefix: str | None, *, partitioning: bool) -> None:
    """Raises InvalidArgumentException with what is wrong with the expressions."""
    try:
        _evaluator(prefix, error_prefix, partitioning)
    except ValueError as error:
        raise invalid(str(error)) from error


def _evaluator(prefix: str | None, error_prefix: str | None, partitioning: bool) -> None:
    if util.find_spec("stream.firehose") and util.find_spec(_MODULE):
        import_module(_MODULE).check(prefix, error_prefix, partitioning=partitioning)
