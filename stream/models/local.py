"""Models in this process: a Python callable, a pickle that is trusted in words, ONNX."""

import importlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from monitors.shap.kernel import Array, Background, Explained, linear
from schemas.errors import ConfigError, ModelFailed
from stream.scripts import Script

TRUST = "run the code that it holds"  # what a configuration must say of a pickle
_MOST = 65_536  # rows a call


class Function:
    """A callable of an Arrow table, or of a matrix where it says `matrix = True` (all features are numbers
    then); an object with predict_proba or predict is called by that, with a matrix.

    It may know exact attributions: `attributions(matrix) -> (values (rows, features[, outputs]), expected)`,
    such as TreeSHAP of LightGBM (pred_contrib) or XGBoost; or be linear: `coef_` and `intercept_` with
    `predict`. `describe` puts an exception of it into words.
    """

    most = _MOST

    def __init__(self, found: Any, describe: Callable[[Exception], str] = str) -> None:
        self._object, self._describe = found, describe
        method = next((n for n in ("predict_proba", "predict") if callable(getattr(found, n, None))), None)
        self._call = getattr(found, method) if method else found
        self._matrix = method is not None or bool(getattr(found, "matrix", False))
        self._linear = method == "predict" and hasattr(found, "coef_") and hasattr(found, "intercept_")
        if not callable(self._call):
            raise ConfigError("explain: the model is neither a function nor has it predict or predict_proba")

    def predict(self, rows: pa.Table) -> Array:
        """Outputs, shape (rows, outputs). Raises ModelFailed."""
        try:
            asked = _matrix(rows) if self._matrix else rows
            found = np.asarray(self._call(asked), np.float64)
        except Exception as error:
            raise ModelFailed(self._describe(error)) from error
        found = found[:, None] if found.ndim == 1 else found
        if found.ndim != 2 or len(found) != rows.num_rows:
            raise ModelFailed(f"the model answered {found.shape} to {rows.num_rows} rows")
        return found

    def attributions(self, rows: Array, background: Background) -> Explained | None:
        """Exact values, where the model knows them. Raises ModelFailed."""
        if self._linear:
            coefficients = np.atleast_2d(np.asarray(self._object.coef_, np.float64)).T
            return linear(coefficients, np.atleast_1d(self._object.intercept_), rows, background)
        own = getattr(self._object, "attributions", None)
        if not callable(own):
            return None
        try:
            values, expected = own(rows)
            values, expected = np.asarray(values, np.float64), np.atleast_1d(expected).astype(np.float64)
        except Exception as error:
            raise ModelFailed(self._describe(error)) from error
        values = values[:, :, None] if values.ndim == 2 else values
        if values.shape != (*rows.shape, len(expected)):
            raise ModelFailed(f"attributions of shape {values.shape} for {rows.shape} rows and features")
        return Explained(np.arange(len(rows)), values, values.sum(axis=1) + expected, expected)

    def close(self) -> None:
        """Nothing to let go of."""


def function(place: str) -> Function:
    """`FILE.py:name` or `module:name`. Raises ConfigError."""
    file, _, name = place.rpartition(":")
    if not file or not name:
        raise ConfigError(f"explain: {place} is no model: FILE.py:name, module:name, a URL, sagemaker:NAME")
    if file.endswith(".py"):
        script = Script(Path(file))
        return Function(_named(script.module, name, place), script.blame)
    try:
        module = importlib.import_module(file)
    except ImportError as error:
        raise ConfigError(f"explain: {place}: {error}") from error
    return Function(_named(module, name, place))


def _named(module: Any, name: str, place: str) -> Any:
    if not hasattr(module, name):
        raise ConfigError(f"explain: {place}: it has no {name}")
    return getattr(module, name)


def pickled(path: Path, words: str | None) -> Function:
    """A pickled model: to read it is to run it, so the configuration must say so. Raises ConfigError."""
    if words != TRUST:
        raise ConfigError(
            f"explain: {path} is a pickle, and reading one runs what it holds: "
            f'say pickle = "{TRUST}" if you mean it'
        )
    try:
        return Function(pickle.loads(path.read_bytes()))
    except Exception as error:
        raise ConfigError(f"explain: {path}: {type(error).__name__}: {error}") from error


class Onnx:
    """A model in ONNX, with one matrix of float or double as input; outputs that are numbers, of rank 2 or 1.

    Raises ConfigError where onnxruntime is not installed or cannot read it.
    """

    most = _MOST

    def __init__(self, path: Path) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise ConfigError("explain: ONNX needs onnxruntime: pip install 'streamgauge[onnx]'") from error
        try:
            self._session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ConfigError(f"explain: {path}: {error}") from error
        (self._input, *more) = self._session.get_inputs()
        if more:
            raise ConfigError(f"explain: {path} has {len(more) + 1} inputs, and one matrix is needed")
        tensors = [found for found in self._session.get_outputs() if found.type.startswith("tensor(")]
        numeric = [found.name for found in tensors if "float" in found.type or "double" in found.type]
        self._outputs = numeric or [found.name for found in tensors]
        self._type = np.float64 if "double" in self._input.type else np.float32

    def predict(self, rows: pa.Table) -> Array:
        """Outputs, shape (rows, outputs). Raises ModelFailed."""
        try:
            matrix = _matrix(rows).astype(self._type)
            found = [
                np.asarray(o, np.float64)
                for o in self._session.run(self._outputs, {self._input.name: matrix})
            ]
            return np.concatenate([each.reshape(rows.num_rows, -1) for each in found], axis=1)
        except Exception as error:
            raise ModelFailed(f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Nothing to let go of."""


def _matrix(rows: pa.Table) -> Array:
    text = [f.name for f in rows.schema if not pa.types.is_floating(f.type)]
    if text:
        raise ModelFailed(f"the model takes numbers, and {', '.join(text)} is text")
    return np.column_stack([column.to_numpy() for column in rows.columns])
