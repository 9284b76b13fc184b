"""Settings that change while labels are waited for: figures are of all rows that have their label."""

from __future__ import annotations

import msgspec
import pytest

from cluster import Cluster
from labelled import QUALITY, captured, expected, ground_truth, labels, requests
from made import SUBJECT, settings_for
from schemas.frame import Frame, encode
from schemas.times import END_OF_TIME
from stream.setup import Setups

MADE = requests(60, hours=3)
CAME = labels(MADE, days=0.5)


@pytest.mark.parametrize("first", [True, False], ids=["on, off, on", "off, on, off, on"])
def test_quality_that_is_turned_off_and_on_again_is_of_all_rows(tmp_path, first):
    kafka = {"partitions": 1, "join_partitions": 1, "labels": "truth"}
    on = settings_for(tmp_path / "out", tmp_path, quality=QUALITY, kafka=kafka)
    another = {"another": {"quality": QUALITY}}
    off = settings_for(tmp_path / "out", tmp_path, kafka=kafka, endpoints=another)
    cluster = Cluster((on, Setups(on)), tmp_path)
    cluster.captures[0] += map(captured, MADE)
    cluster.captures[0].append(encode(Frame.completion(SUBJECT, END_OF_TIME)))
    cluster.finish()
    lives = [on, off, on] if first else [off, on, off, on]
    each = len(CAME) // len(lives) + 1
    for n, settings in enumerate(lives):
        cluster.restart((settings, Setups(settings)))
        cluster.labels[0] += map(ground_truth, CAME[n * each : (n + 1) * each])
        cluster.finish()
    for start, (records, matched, mae) in expected(MADE, CAME).items():
        report = cluster.reports["model_quality", start]
        assert (report.counts.records, report.labels.matched) == (records, matched)
        found = msgspec.to_builtins(report.finding.documents["statistics.json"])
        assert found["regression_metrics"]["mae"]["value"] == pytest.approx(mae)
