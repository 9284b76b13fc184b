"""Evidently: both presets that a monitoring page starts from, in one report."""

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset, DataSummaryPreset

from cases.data import Action, Data

PACKAGES = ("evidently", "pandas", "numpy")


def _frames_ready(data: Data) -> Action:
    frame, drifted = data.frame, _Drifted(data)
    return lambda: drifted(frame)


def _from_bytes(data: Data) -> Action:
    captures, drifted = data.captures, _Drifted(data)
    return lambda: drifted(data.read(captures))


class _Drifted:
    def __init__(self, data: Data) -> None:
        self._columns = DataDefinition(numerical_columns=data.numeric, categorical_columns=data.text)
        self._baseline = Dataset.from_pandas(data.baseline, self._columns)

    def __call__(self, frame: pd.DataFrame) -> list[str]:
        report = Report([DataDriftPreset(), DataSummaryPreset()])
        metrics = report.run(Dataset.from_pandas(frame, self._columns), self._baseline).dict()["metrics"]
        drifts = [metric for metric in metrics if metric["metric_name"].startswith("ValueDrift")]
        return [d["config"]["column"] for d in drifts if d["value"] > d["config"]["threshold"]]


ACTIONS = {"frames ready": _frames_ready, "from capture bytes": _from_bytes}
