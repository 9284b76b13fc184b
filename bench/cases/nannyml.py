"""NannyML: univariate drift, two distances for numbers and two for text, all rows as one chunk."""

import nannyml
import pandas as pd
from nannyml.thresholds import ConstantThreshold

from cases.data import Action, Data

_THRESHOLD = ConstantThreshold(upper=0.1)  # its own are read off the chunks of the baseline: here it is one
PACKAGES = ("nannyml", "pandas", "numpy")


def _frames_ready(data: Data) -> Action:
    frame, calculator = data.frame, _calculator(data)
    return lambda: _drifted(calculator, frame)


def _from_bytes(data: Data) -> Action:
    captures, calculator = data.captures, _calculator(data)
    return lambda: _drifted(calculator, data.read(captures))


def _calculator(data: Data) -> nannyml.UnivariateDriftCalculator:
    return nannyml.UnivariateDriftCalculator(
        column_names=[*data.numeric, *data.text],
        continuous_methods=["kolmogorov_smirnov", "jensen_shannon"],
        categorical_methods=["chi2", "l_infinity"],
        chunk_number=1,
        thresholds=dict.fromkeys(("kolmogorov_smirnov", "jensen_shannon", "l_infinity"), _THRESHOLD),
    ).fit(data.baseline)


def _drifted(calculator: nannyml.UnivariateDriftCalculator, frame: pd.DataFrame) -> list[str]:
    found = calculator.calculate(frame).filter(period="analysis").to_df()
    return sorted({key[0] for key in found.columns if key[-1] == "alert" and found[key].any()})


ACTIONS = {"frames ready": _frames_ready, "from capture bytes": _from_bytes}
