"""What streamgauge is measured at: from raw capture bytes, from decoded columns, and its baseline."""

import numpy as np
import pyarrow as pa

import made
from monitors.baseline import Baseline
from monitors.data_quality import DataQuality, DataQualityState, profile
from monitors.describe import suggest
from schemas import constraints
from schemas.decode import decode
from schemas.frame import Frame, Subject
from schemas.report import Finding
from schemas.rows import NO_ROWS, Rows
from schemas.times import END_OF_TIME
from stream.batch import MAX_RECORDS, batches
from stream.judge import Judge
from stream.settings import WindowSettings
from stream.watch import Watch

SUBJECT = Subject("bench")
ARRIVED = 2_000_000_000_000
FRAME = 500  # records, as PutRecordBatch sends them
BASELINE_ROWS = 20_000


def baseline() -> Baseline:
    """The baseline of the made-up data, found as `streamgauge baseline` finds it."""
    described = profile(made.baseline_table(BASELINE_ROWS))
    return Baseline.of(described, constraints.of(suggest(described)))


def frames(records: list[bytes], size: int = FRAME) -> list[tuple[int, Frame]]:
    """Records as they lie in the log, `size` a message."""
    return [
        (offset, Frame.of(SUBJECT, pa.array(records[at : at + size], pa.binary()), ARRIVED))
        for offset, at in enumerate(range(0, len(records), size))
    ]


def judged(log: list[tuple[int, Frame]], known: Baseline) -> list[str]:
    """Everything between the log and the report; gives the features that drifted."""
    pipeline = Pipeline(known)
    return pipeline.observe(log) + pipeline.finish(len(log))


class Pipeline:
    """Decode, watch and judge of one subject, fed bit by bit."""

    def __init__(self, known: Baseline) -> None:
        monitors = (DataQuality(known),)
        windows = WindowSettings()
        self._layout = known.layout()
        self._watch = Watch(0, windows, lambda _: monitors)
        self._judge = Judge(windows, lambda _: monitors)
        self.rows = 0

    def observe(self, log: list[tuple[int, Frame]]) -> list[str]:
        """Take in some messages; gives the features that drifted in the windows that they close."""
        found: list[str] = []
        for batch in batches(log):
            decoded = decode(batch.frame, self._layout)
            self.rows += sum(map(len, decoded.tables))
            watched = self._watch.observe(decoded)
            for report in self._judge.observe(watched.subject, watched.partials, watched.progress):
                found += drifted(report.finding)
        return found

    def finish(self, offset: int) -> list[str]:
        """Close what is open."""
        return self.observe([(offset, Frame.completion(SUBJECT, END_OF_TIME))])


def drifted(finding: Finding) -> list[str]:
    """Features whose distance from the baseline is too large."""
    return [v.feature_name for v in finding.violations if v.constraint_check_type == "baseline_drift_check"]


def decoded(log: list[tuple[int, Frame]], known: Baseline) -> int:
    """Raw bytes to typed columns, a message a call; gives the number of rows."""
    layout = known.layout()
    return sum(len(table) for _, frame in log for table in decode(frame, layout).tables)


def found_in(table: pa.Table, known: Baseline) -> list[str]:
    """Columns to a finding, in slices as a stream brings them; gives the features that drifted."""
    monitor = DataQuality(known)
    state: DataQualityState = monitor.observe(NO_ROWS)
    for at in range(0, table.num_rows, MAX_RECORDS):
        part = table.slice(at, MAX_RECORDS)
        number = np.arange(part.num_rows)
        state = state.merge(monitor.observe(Rows(part, number, number)))
    return drifted(monitor.finish(state))
