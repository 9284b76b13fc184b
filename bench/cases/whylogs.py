"""whylogs: a profile compared with the baseline's, from a frame or, as on a stream, row by row."""

import pandas as pd
import whylogs
from whylogs.core.view.dataset_profile_view import DatasetProfileView
from whylogs.viz.drift.column_drift_algorithms import calculate_drift_scores

from cases.data import Action, Data

PACKAGES = ("whylogs", "pandas", "numpy")


def _frames_ready(data: Data) -> Action:
    frame, baseline = data.frame, _profile(data.baseline)
    return lambda: _drifted(_profile(frame), baseline)


def _from_bytes(data: Data) -> Action:
    captures, baseline = data.captures, _profile(data.baseline)
    return lambda: _drifted(_profile(data.read(captures)), baseline)


def _row_by_row(data: Data) -> Action:
    rows, baseline = data.frame.to_dict("records"), _profile(data.baseline)
    return lambda: _drifted(_profile_by_row(rows), baseline)


def _profile(frame: pd.DataFrame) -> DatasetProfileView:
    return whylogs.log(frame).view()


def _profile_by_row(rows: list[dict]) -> DatasetProfileView:
    profile = whylogs.log(row=rows[0]).profile()
    for row in rows[1:]:
        profile.track(row=row)
    return profile.view()


def _drifted(profile: DatasetProfileView, baseline: DatasetProfileView) -> list[str]:
    scores = calculate_drift_scores(target_view=profile, reference_view=baseline, with_thresholds=True)
    return [name for name, score in scores.items() if score and score["drift_category"] == "DRIFT"]


ACTIONS = {"frames ready": _frames_ready, "from capture bytes": _from_bytes, "row by row": _row_by_row}
