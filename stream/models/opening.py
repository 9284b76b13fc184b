"""A model by what settings and Clarify's configuration call it."""

from pathlib import Path

from schemas.errors import ConfigError
from schemas.shap_config import Predictor
from stream.explain_settings import ExplainSettings
from stream.models import payloads
from stream.models.base import Model
from stream.models.budget import Budget
from stream.models.endpoint import Endpoint, Form, Invoke, http, sagemaker
from stream.models.local import Onnx, function, pickled

_PICKLES = (".pkl", ".pickle", ".joblib")
_SAGEMAKER = "sagemaker:"


def open_model(settings: ExplainSettings, predictor: Predictor, budget: Budget) -> Model:
    """The model; nothing is asked of it yet. Raises ConfigError."""
    place = settings.model or (f"{_SAGEMAKER}{predictor.endpoint_name}" if predictor.endpoint_name else None)
    if place is None:
        raise ConfigError(
            "explain: no model: set explain.model, or explain.captured where captures hold attributions"
        )
    if place.startswith(("http://", "https://", _SAGEMAKER)):
        form = _form(settings, predictor)
        return Endpoint(
            _invoke(place, form, settings, predictor),
            form,
            budget,
            settings.batch,
            settings.concurrency,
            settings.timeout.total_seconds(),
            settings.retries,
        )
    if place.endswith(".onnx"):
        return Onnx(Path(place))
    return pickled(Path(place), settings.pickle) if place.endswith(_PICKLES) else function(place)


def _invoke(place: str, form: Form, settings: ExplainSettings, predictor: Predictor) -> Invoke:
    if place.startswith(_SAGEMAKER):
        return sagemaker(place.removeprefix(_SAGEMAKER), form, predictor.target_variant)
    return http(place, form, settings.concurrency)


def _form(settings: ExplainSettings, predictor: Predictor) -> Form:
    content = settings.content or predictor.content_type or payloads.CSV
    accept = settings.accept or predictor.accept_type or content
    return Form(content, accept, settings.named, settings.outputs)
