"""Subjects whose event times lie far apart, joined beside each other."""

from __future__ import annotations

import pyarrow as pa

from cluster import Cluster
from labelled import QUALITY, captured, ground_truth, merged
from made import HOUR, SUBJECT, T0, settings_for
from schemas.frame import Frame, Subject, encode
from stream.joining import captures
from stream.setup import Setups

DAY = 24 * HOUR


def test_what_is_of_today_takes_no_captures_of_last_year_away(tmp_path, monkeypatch):
    monkeypatch.setattr(captures, "_BLOCK", 1)
    kafka = {"partitions": 1, "join_partitions": 1, "labels": "truth"}
    settings = settings_for(tmp_path / "out", tmp_path, quality=QUALITY, kafka=kafka)
    cluster = Cluster((settings, Setups(settings)), tmp_path)
    for hour in range(5):
        for subject, day in ((SUBJECT, 300), (Subject("replayed"), 0)):
            record = captured((T0 + day * DAY + hour * HOUR, f"{day}/{hour}", [0.5]))
            frame = Frame.of(subject, pa.array([record], pa.binary()), T0 + 301 * DAY)
            cluster.captures[0].append(encode(frame))
        cluster.finish()
    names = sorted(f"{day}/{hour}" for day in (0, 300) for hour in range(5))
    cluster.labels[0] += [ground_truth((0, name, [0.4])) for name in names]
    cluster.finish()
    assert [name for name, _ in merged(tmp_path)] == names
