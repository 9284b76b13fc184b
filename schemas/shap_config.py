"""What analysis_config.json of SageMaker Clarify says of explanations: `methods.shap` and `predictor`."""

from typing import Any, Literal

import msgspec
from msgspec import Struct

from schemas.analysis_config import load
from schemas.errors import ConfigError

Cell = str | int | float | bool | None


class Shap(Struct, frozen=True, kw_only=True):
    """`methods.shap`. `baseline` are rows of features, or where they are; without it they are made by
    clustering. Texts and images are not explained."""

    baseline: list[list[Cell] | dict[str, Cell]] | str | None = None
    num_clusters: int | None = None
    num_samples: int | None = None
    agg_method: Literal["mean_abs", "median", "mean_sq"] = "mean_abs"
    use_logit: bool = False
    seed: int | None = None
    save_local_shap_values: bool = False
    features_to_explain: list[str] | None = None
    text_config: dict[str, Any] | None = None
    image_config: dict[str, Any] | None = None


class Predictor(Struct, frozen=True, kw_only=True):
    """How the model is spoken to, as far as it concerns one that runs already."""

    endpoint_name: str | None = None
    target_variant: str | None = None
    content_type: str | None = None
    accept_type: str | None = None
    label_headers: list[str] | None = None


class ShapConfig(Struct, frozen=True, kw_only=True):
    """What to explain and how. `headers` are the columns, `label` one of them that is no feature."""

    headers: list[str] | None = None
    label: str | int | None = None
    shap: Shap = Shap()
    predictor: Predictor = Predictor()


class _Methods(Struct):
    shap: Shap


class _File(Struct):
    headers: list[str] | None = None
    label: str | int | None = None
    methods: _Methods | None = None
    predictor: Predictor | None = None


def parse(text: bytes, source: str = "analysis_config.json") -> ShapConfig:
    """Read a configuration: TOML where `source` ends so, else JSON. Keys of other methods are let be.

    Raises ConfigError.

    >>> parse(b'{"methods": {"shap": {"agg_method": "max"}}}', "a.json")
    Traceback (most recent call last):
      ...
    schemas.errors.ConfigError: a.json: Invalid enum value 'max' - at `$.methods.shap.agg_method`
    """
    try:
        found = msgspec.convert(load(text, source), _File)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{source}: {error}") from error
    shap = found.methods.shap if found.methods else Shap()
    if shap.text_config or shap.image_config:
        raise ConfigError(f"{source}: text_config and image_config are not supported: tables only")
    for name in ("num_clusters", "num_samples"):
        if (value := getattr(shap, name)) is not None and value < 1:
            raise ConfigError(f"{source}: methods.shap.{name} must be above 0")
    return ShapConfig(
        headers=found.headers, label=found.label, shap=shap, predictor=found.predictor or Predictor()
    )
