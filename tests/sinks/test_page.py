"""The page: one file, offline, deterministic, and safe with whatever names the traffic brings."""

import json
import math
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.frame import Subject
from sinks.page import write_page
from sinks.page.reading import read
from sinks.page.rendering import render

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
START = datetime(2013, 4, 1, tzinfo=UTC)
HOSTILE = "</script><img src=x onerror=\"document.title='owned'\"><!--{{ 7*7 }}'&"
NUMERIC = tuple("dep_delay arr_delay air_time distance hour temp wind_speed visib pressure humid".split())
CATEGORICAL = ("carrier", "origin", "dest", "tailnum_prefix")
CARRIERS = ("UA", "B6", "EV", "DL", "AA", "MQ", "US", "9E", "WN", "VX", "(other)")


def synthetic(
    root: Path,
    windows: int = 20,
    *,
    size: timedelta = DAY,
    features: tuple[str, ...] = NUMERIC + CATEGORICAL,
    subject: str = "flight-delay",
    seed: int = 7,
) -> Path:
    """Write plausible reports: delays drift in summer, temp with the season, and some days hold no data."""
    rng = random.Random(seed)
    baselines = {feature: _baseline(rng, feature) for feature in features}
    for at in range(windows):
        start = START + at * size
        report = _report(rng, subject, start, start + size, at / max(1, windows), baselines)
        folder = root / "reports" / subject / "AllTraffic" / "data_quality" / f"{start:%Y/%m/%d/%H}"
        if size < HOUR:
            folder /= f"{start:%M}"
        folder.mkdir(parents=True)
        (folder / "report.json").write_text(json.dumps(report))
    return root


def _baseline(rng: random.Random, feature: str) -> tuple[list[Any], list[float]]:
    if feature in CATEGORICAL:
        weights = [math.exp(-i / 3) * rng.uniform(0.7, 1.3) for i in range(len(CARRIERS))]
        return list(CARRIERS), _shares(weights)
    low, step = rng.uniform(-40, 40), rng.uniform(0.5, 30)
    peak = rng.uniform(2, 8)
    weights = [math.exp(-(((i - peak) / 2.2) ** 2) / 2) for i in range(12)]
    return [round(low + i * step, 3) for i in range(11)], _shares(weights)


def _shares(weights: list[float]) -> list[float]:
    return [weight / sum(weights) for weight in weights]


def _push(feature: str, at: float) -> float:
    """How far a feature has moved by that share of the time."""
    summer = max(0.0, 1 - abs(at - 0.35) / 0.12)
    return {
        "dep_delay": 1.9 * summer,
        "arr_delay": 1.4 * summer,
        "temp": 1.6 * math.sin(2 * math.pi * (at - 0.1)) ** 2,
        "humid": 0.9 if 0.62 < at < 0.66 else 0.0,
        "pressure": 1.2 * max(0.0, at - 0.8) * 5,
        "carrier": 1.0 if at > 0.7 else 0.0,
    }.get(feature, 0.15)


def _report(
    rng: random.Random, subject: str, start: datetime, end: datetime, at: float, baselines: dict[str, Any]
) -> dict[str, Any]:
    report: dict[str, Any] = {
        "subject": {"endpoint": subject, "variant": "AllTraffic", "model": None},
        "monitor": "data_quality",
        "window": {"start": _iso(start), "end": _iso(end)},
        "revision": 0,
    }
    if 0.49 < at < 0.52 or rng.random() < 0.02:
        counts = {"records": 0, "rows": 0, "bad": 0, "late": 0}
        return {"status": "NoData", **report, "counts": counts, "violations": [], "drift": []}
    records = int(820 + 160 * math.sin(at * 80) + rng.gauss(0, 25))
    bad = rng.choice([0] * 9 + [1, 2]) + (rng.randint(10, 40) if 0.55 < at < 0.565 else 0)
    late = rng.choice([0] * 6 + [1, 3, 8])
    drift = [_drift(rng, feature, at, *baseline) for feature, baseline in baselines.items()]
    violations = [
        {
            "feature_name": d["feature_name"],
            "constraint_check_type": "baseline_drift_check",
            "description": f"Baseline drift distance: {d['distance']} exceeds threshold: {d['threshold']}",
            "metric_name": "distance",
        }
        for d in drift
        if d["distance"] > d["threshold"]
    ]
    if 0.55 < at < 0.565:
        violations += [_violation("visib", "data_type_check"), _violation("wind_speed", "completeness_check")]
    if 0.9 < at < 0.93:
        violations += [
            _violation("gate", "extra_column_check"),
            _violation("dest", "categorical_values_check"),
        ]
    return {
        "status": "CompletedWithViolations" if violations else "Completed",
        **report,
        "revision": int(rng.random() < 0.05),
        "counts": {"records": records, "rows": records + 50, "bad": bad, "late": late},
        "violations": violations,
        "drift": drift,
    }


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _violation(feature: str, check: str) -> dict[str, str]:
    share = "Value: 0.931 does not meet the constraint requirement: 1.0"
    return {"feature_name": feature, "constraint_check_type": check, "description": share}


def _drift(
    rng: random.Random, feature: str, at: float, bins: list[Any], baseline: list[float]
) -> dict[str, Any]:
    push = _push(feature, at) + rng.gauss(0, 0.06)
    middle = (len(baseline) - 1) / 2
    tilted = [share * math.exp(push * (i - middle) / 4) for i, share in enumerate(baseline)]
    current = _shares([max(0.0, share * rng.uniform(0.93, 1.07)) for share in tilted])
    return {
        "feature_name": feature,
        "kind": "categorical" if feature in CATEGORICAL else "numeric",
        "distance": round(
            max(abs(a - b) for a, b in zip(_cumulated(current), _cumulated(baseline), strict=True)), 4
        ),
        "threshold": 0.1,
        "method": "LInfinity" if feature in CATEGORICAL else "Robust",
        "bins": bins,
        "baseline": baseline,
        "current": current,
    }


def _cumulated(shares: list[float]) -> list[float]:
    return [sum(shares[: i + 1]) for i in range(len(shares))]


def report(**changes: Any) -> dict[str, Any]:
    """One small report as JSON, with one feature above its threshold; what is, is a violation."""
    drifts = changes.get("drift", [drift()])
    return {
        "status": "CompletedWithViolations",
        "subject": {"endpoint": "flight-delay", "variant": "AllTraffic", "model": None},
        "monitor": "data_quality",
        "window": {"start": "2013-04-01T00:00:00Z", "end": "2013-04-02T00:00:00Z"},
        "revision": 0,
        "counts": {"records": 900, "rows": 950, "bad": 1, "late": 0},
        "violations": [_violation(d["feature_name"], "baseline_drift_check") for d in drifts if _is_far(d)],
        "drift": drifts,
        **changes,
    }


def _is_far(drift: dict[str, Any]) -> bool:
    distance, threshold = drift.get("distance"), drift.get("threshold")
    if not isinstance(distance, float) or not isinstance(threshold, float):
        return False
    return distance < threshold if drift["method"] == "ChiSquared" else distance > threshold


def drift(**changes: Any) -> dict[str, Any]:
    return {
        "feature_name": "carrier",
        "kind": "categorical",
        "distance": 0.2,
        "threshold": 0.1,
        "method": "LInfinity",
        "bins": ["UA", "(other)"],
        "baseline": [0.5, 0.5],
        "current": [0.7, 0.3],
        **changes,
    }


def put(root: Path, *reports: Any) -> Path:
    """Write each report (JSON, or text as it is) under a path of its own."""
    for i, content in enumerate(reports):
        path = root / "reports" / "e" / "v" / "m" / "2013" / "04" / "01" / f"{i:02}" / "report.json"
        path.parent.mkdir(parents=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return root


def page(root: Path) -> str:
    return write_page(root).read_text(encoding="utf-8")


class Elements(HTMLParser):
    """Tags with their attributes, and the visible text, of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._script = tag == "script"
        if self._script:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._script = False

    def handle_data(self, data: str) -> None:
        if self._script:
            self.scripts[-1] += data
        else:
            self.text += " " + " ".join(data.split())


def packed(text: str) -> Iterator[Any]:
    """The data of each section."""
    for (_, attributes), content in zip(
        (tag for tag in Elements(text).tags if tag[0] == "script"), Elements(text).scripts, strict=True
    ):
        if attributes.get("type") == "application/json":
            yield json.loads(content)


def test_the_page_loads_nothing_from_anywhere(tmp_path: Path) -> None:
    text = page(synthetic(tmp_path))
    elements = Elements(text)
    addresses = [
        value
        for _, attributes in elements.tags
        for name, value in attributes.items()
        if name in ("src", "href")
    ]
    assert [address for address in addresses if not str(address).startswith(("#", "data:"))] == []
    assert not {tag for tag, _ in elements.tags} & {
        "iframe",
        "object",
        "embed",
        "img",
        "audio",
        "video",
        "base",
    }
    assert "default-src 'none'" in text
    markup = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"https?:|@import|url\(", markup)


def test_the_libraries_are_embedded_once(tmp_path: Path) -> None:
    text = page(put(tmp_path, report(), report(subject={"endpoint": "other", "variant": "B", "model": None})))
    assert text.count("window.vegaEmbed=") == 1


def test_the_same_reports_give_the_same_bytes(tmp_path: Path) -> None:
    one, two = synthetic(tmp_path / "one"), synthetic(tmp_path / "two")
    first = write_page(one).read_bytes()
    assert write_page(two).read_bytes() == first
    assert write_page(one).read_bytes() == first
    assert sorted(path.name for path in one.iterdir()) == ["index.html", "reports"]


def test_the_order_of_reports_changes_nothing(tmp_path: Path) -> None:
    found = read(synthetic(tmp_path))
    assert render(found.reports[::-1], found.summary) == render(found.reports, found.summary)


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    hostile = report(
        subject={"endpoint": HOSTILE, "variant": HOSTILE, "model": HOSTILE},
        monitor=HOSTILE,
        status=HOSTILE,
        violations=[{"feature_name": HOSTILE, "constraint_check_type": HOSTILE, "description": HOSTILE}],
        drift=[drift(feature_name=HOSTILE, method=HOSTILE, bins=[HOSTILE, "(other)"])],
    )
    put(tmp_path, hostile, '{"status": "' + "</script><img src=x>")
    (tmp_path / "summary.json").write_text(json.dumps({"bad_by_reason": {HOSTILE: 3}, "finished": True}))
    text = page(tmp_path)
    elements = Elements(text)
    assert "img" not in {tag for tag, _ in elements.tags}
    assert not any(name.startswith("on") for _, attributes in elements.tags for name in attributes)
    assert len(re.findall(r"</script", text, flags=re.IGNORECASE)) == 3  # data, libraries, drawing
    (data,) = packed(text)
    assert data["features"] == [HOSTILE]
    assert data["words"] == [HOSTILE, "(other)"]
    assert HOSTILE in elements.text
    assert "49" not in elements.text


def test_zero_reports_give_a_page_that_says_so(tmp_path: Path) -> None:
    text = page(tmp_path)
    assert "No reports" in Elements(text).text
    assert len(text) < 20_000


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "",
        "[]",
        "null",
        "{}",
        '{"status": "\\ud800"}',
        report(window={"start": "yesterday", "end": "2013-04-02T00:00:00Z"}),
        report(window={"start": "2013-04-01T00:00:00", "end": "2013-04-02T00:00:00"}),
        report(window={"start": "2013-04-02T00:00:00Z", "end": "2013-04-01T00:00:00Z"}),
        report(drift=[drift(current=[1.0])]),
        report(drift=[drift(distance="far")]),
        report(drift=[drift(kind="numeric", bins=["a"])]),
        report(drift=[drift(current=[1e306, 0.0])]),
        report(window={"start": "0001-01-01T00:00:00+05:00", "end": "2013-04-02T00:00:00Z"}),
        '{"more": ' + "[" * 100_000,
        json.dumps(report()).replace("0.2", "1e999"),
        json.dumps(report()).replace("0.2", "NaN"),
    ],
)
def test_a_broken_report_is_left_out_and_named(tmp_path: Path, content: Any) -> None:
    text = Elements(page(put(tmp_path, report(), content))).text
    assert "1 file could not be read and is left out" in text
    assert "reports/e/v/m/2013/04/01/01/report.json" in text
    assert "1 of 1 windows with violations" in text


def test_only_broken_files_still_give_a_page(tmp_path: Path) -> None:
    put(tmp_path, "{")
    (tmp_path / "summary.json").write_bytes(b"\xff\xfe{")
    text = Elements(page(tmp_path)).text
    assert "2 files could not be read" in text
    assert "summary.json" in text


def test_three_hundred_windows_of_fourteen_features_keep_every_distribution_in_a_small_page(
    tmp_path: Path,
) -> None:
    text = page(synthetic(tmp_path, windows=300))
    assert len(text.encode()) < 2_500_000
    (data,) = packed(text)
    held = [status != "NoData" for status in data["windows"]["status"]]
    assert len(held) == 300 and len(data["features"]) == 14
    assert all([shares is not None for shares in row] == held for row in data["shares"])
    assert "To keep this page small" not in text


def test_above_four_hundred_windows_the_greatest_distances_keep_their_distributions(tmp_path: Path) -> None:
    text = page(synthetic(tmp_path, windows=450, features=("dep_delay", "carrier"), size=HOUR))
    (data,) = packed(text)
    kept = [w for w, shares in enumerate(data["shares"][0]) if shares is not None]
    left = [w for w, shares in enumerate(data["shares"][0]) if shares is None and data["rule"][0][w] >= 0]

    def greatest(w: int) -> float:
        return max(row[w] or 0.0 for row in data["distance"])

    assert len(kept) == 400
    assert min(map(greatest, kept)) >= max(map(greatest, left))
    assert f"it holds the distributions of 400 of {len(kept) + len(left)} windows only" in Elements(text).text


def test_many_subjects_share_the_room_of_the_page(tmp_path: Path) -> None:
    one = read(synthetic(tmp_path, windows=300)).reports
    many = [replace(report, subject=Subject(f"endpoint-{i}")) for i in range(20) for report in one]
    assert len(render(many, None).encode()) < 6_000_000


def test_each_subject_and_monitor_has_a_section_and_a_link(tmp_path: Path) -> None:
    subjects = [{"endpoint": name, "variant": "AllTraffic", "model": None} for name in ("b", "a")]
    text = page(
        put(tmp_path, *(report(subject=s) for s in subjects), report(subject=subjects[0], monitor="bias"))
    )
    elements = Elements(text)
    assert [a["id"] for tag, a in elements.tags if tag == "section"] == [
        "section-1",
        "section-2",
        "section-3",
    ]
    assert [a["href"] for tag, a in elements.tags if tag == "a"] == ["#section-1", "#section-2", "#section-3"]
    assert elements.text.index("a / AllTraffic") < elements.text.index("b / AllTraffic")
    assert "2 subjects watched" in elements.text


def test_two_monitors_of_a_subject_count_its_records_once(tmp_path: Path) -> None:
    other = {"endpoint": "other", "variant": "AllTraffic", "model": None}
    put(tmp_path, report(), report(monitor="bias"), report(subject=other))
    assert re.search(r"1,800\s+records", Elements(page(tmp_path)).text)


def test_features_come_in_the_order_of_their_greatest_distance(tmp_path: Path) -> None:
    names = {"low": 0.01, "high": 0.9, "middle": 0.2, "unmeasured": None}
    drifts = [drift(feature_name=name, distance=distance) for name, distance in names.items()]
    (data,) = packed(page(put(tmp_path, report(drift=drifts))))
    assert data["features"] == ["high", "middle", "low", "unmeasured"]
    assert data["distance"] == [[0.9], [0.2], [0.01], [None]]


def test_features_that_drifted_in_more_windows_come_before_one_spike(tmp_path: Path) -> None:
    distances = {"spike": (0.9, 0.0, 0.0), "steady": (0.2, 0.3, 0.15), "twice": (0.05, 0.2, 0.2)}
    reports = [
        report(
            window={"start": f"2013-04-0{1 + w}T00:00:00Z", "end": f"2013-04-0{2 + w}T00:00:00Z"},
            drift=[drift(feature_name=name, distance=of[w]) for name, of in distances.items()],
        )
        for w in range(3)
    ]
    text = page(put(tmp_path, *reports))
    (data,) = packed(text)
    assert data["features"] == ["steady", "twice", "spike"]
    assert data["lead"] == [0, 1]
    assert re.search(
        r"in 3 windows,\s+steady\s*, distance 0\.3 at its strongest \(2013-04-02", Elements(text).text
    )


def test_the_cell_shown_at_the_start_keeps_its_distribution(tmp_path: Path) -> None:
    """Of 450 windows 400 keep theirs: `steady` leads, yet `wild` is farther in all but one window."""
    reports = [
        report(
            window={"start": _iso(START + w * HOUR), "end": _iso(START + (w + 1) * HOUR)},
            drift=[
                drift(feature_name="steady", distance=0.2 if w == 7 else 0.11),
                drift(feature_name="wild", distance=0.01 if w == 7 else 0.9),
            ],
        )
        for w in range(450)
    ]
    (data,) = packed(page(put(tmp_path, *reports)))
    f, w = data["lead"]
    assert (data["features"][f], w) == ("steady", 7)
    assert data["shares"][f][w] is not None
    assert sum(shares is not None for shares in data["shares"][f]) == 400


def test_no_cell_is_shown_at_the_start_where_nothing_was_measured(tmp_path: Path) -> None:
    (data,) = packed(page(put(tmp_path, report(drift=[drift(distance=None)]))))
    assert data["features"] == ["carrier"]
    assert data["lead"] is None


def test_rounding_does_not_move_a_distance_over_its_threshold(tmp_path: Path) -> None:
    drifts = [drift(distance=0.1000000001), drift(feature_name="origin", distance=0.1)]
    (data,) = packed(page(put(tmp_path, report(drift=drifts))))
    assert data["distance"] == [[0.1000000001], [0.1]]


def test_a_p_value_is_drift_when_it_is_below_its_threshold(tmp_path: Path) -> None:
    drifts = [
        drift(feature_name=name, method="ChiSquared", distance=p, threshold=0.05)
        for name, p in {"calm": 0.9, "drifted": 0.00012, "at": 0.05, "never": 0.0}.items()
    ]
    text = page(put(tmp_path, report(drift=drifts)))
    (data,) = packed(text)
    assert data["features"] == ["never", "drifted", "at", "calm"]
    assert "2 of 4 features drifted" in Elements(text).text
    assert re.search(r"never\s*, p-value 0", Elements(text).text)


def test_windows_without_data_are_gaps(tmp_path: Path) -> None:
    empty = report(
        status="NoData",
        window={"start": "2013-04-02T00:00:00Z", "end": "2013-04-03T00:00:00Z"},
        counts={"records": 0, "rows": 0, "bad": 0, "late": 0},
        violations=[],
        drift=[],
    )
    text = page(put(tmp_path, report(), empty))
    (data,) = packed(text)
    assert data["windows"]["status"] == ["CompletedWithViolations", "NoData"]
    assert data["rule"] == [[0, -1]]


def test_reports_without_any_drift_make_a_page(tmp_path: Path) -> None:
    text = Elements(page(put(tmp_path, report(status="NoData", violations=[], drift=[])))).text
    assert "No violations in 1 window." in text
    assert "hold no drift distances" in text


def test_the_highest_revision_of_a_window_counts(tmp_path: Path) -> None:
    revised = report(revision=2, violations=[], status="Completed")
    text = Elements(page(put(tmp_path, revised, report()))).text
    assert "No violations in 1 window." in text
    assert "1 window was revised by late data" in text


def test_a_baseline_is_embedded_once(tmp_path: Path) -> None:
    (data,) = packed(page(synthetic(tmp_path, windows=30)))
    assert len(data["bins"]) == 14


def test_the_table_says_how_many_violations_it_leaves_out(tmp_path: Path) -> None:
    many = [_violation(f"f{i:03}", "completeness_check") for i in range(230)]
    elements = Elements(page(put(tmp_path, report(violations=many))))
    assert "The latest 200 of 230; 30 older ones are left out." in elements.text
    assert sum(tag == "tr" for tag, _ in elements.tags) == 201


def test_a_wide_model_shows_the_features_that_drifted_most(tmp_path: Path) -> None:
    drifts = [drift(feature_name=f"f{i:03}", distance=i / 1000) for i in range(120)]
    text = page(put(tmp_path, report(drift=drifts)))
    (data,) = packed(text)
    assert len(data["features"]) == 60 and data["features"][0] == "f119"
    assert "60 more features with smaller distances are not shown, 0 of them drifted" in Elements(text).text


def test_the_summary_gives_the_counts_and_the_reasons(tmp_path: Path) -> None:
    put(tmp_path, report())
    summary = {
        "counts": {"records": 12345, "rows": 2, "bad": 13, "late": 4},
        "bad_by_reason": {"truncated JSON": 12, "no data": 1},
        "reports": {"Completed": 200},
        "finished": False,
    }
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    text = Elements(page(tmp_path)).text
    assert "12,345" in text
    assert "truncated JSON (12), no data (1)" in text
    assert "had not finished" in text


def test_the_bad_records_say_their_reasons_in_plain_words(tmp_path: Path) -> None:
    reasons = {"columns": 3, "json": 1200, "time": 2, "another": 1}
    (tmp_path / "summary.json").write_text(json.dumps({"bad_by_reason": reasons}))
    elements = Elements(page(tmp_path))
    first = "broken JSON (1,200), wrong number of columns (3), unreadable time (2)"
    assert f"{first} and 1 more" in elements.text
    assert {"class": "tile", "title": f"{first}, another (1)"} in [tag for _, tag in elements.tags]


def test_the_chart_libraries_are_loaded_only_when_a_page_is_made() -> None:
    heavy = "altair", "vl_convert", "jinja2"
    code = f"import sys; from sinks import page; print([name for name in {heavy} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.fixture
def with_bias(tmp_path: Path) -> Path:
    """Reports of bias over 30 windows: DPPL grows beyond the baseline's, AD has no label to rest on."""
    synthetic(tmp_path, windows=30, features=())
    for at, path in enumerate(sorted((tmp_path / "reports").rglob("report.json"))):
        report = json.loads(path.read_bytes()) | {"monitor": "bias", "violations": []}
        dppl = {"name": "DPPL", "description": "", "value": at / 100, "baseline": 0.1}
        dppl |= {"interval": [at / 100 - 0.05, at / 100 + 0.05]}
        metrics = [dppl, {"name": "AD", "description": "", "value": None, "error": "no label " + HOSTILE}]
        if at > 15:
            violation = {
                "feature_name": "sex",
                "constraint_check_type": "bias_drift_check",
                "description": "d",
            }
            violation |= {"facet": "sex", "facet_value": "F", "metric_name": "DPPL"}
            report |= {"violations": [violation], "status": "CompletedWithViolations"}
        path.write_text(json.dumps(report))
        stage = {"label": "y", "label_value_or_threshold": "1"}
        stage |= {"facets": {"sex": [{"value_or_threshold": "F", "metrics": metrics}]}}
        document = {"version": "1.0", "post_training_bias_metrics": stage}
        path.with_name("analysis.json").write_text(json.dumps(document))
    return tmp_path


def test_metrics_of_bias_are_drawn_over_time_with_intervals_and_violations(with_bias: Path) -> None:
    page = write_page(with_bias).read_text()
    (data,) = packed(page)
    drawn = data["bias"]
    (series,) = drawn["series"]
    assert drawn["facets"] == ["sex: F"] and series["metrics"] == ["DPPL"]
    values, lows, highs, below, above, worse = series["cells"][0]
    assert values == [pytest.approx(at / 100) for at in range(30)]
    assert lows[10] == pytest.approx(0.05) and highs[10] == pytest.approx(0.15)
    assert set(below) == {-0.1} and set(above) == {0.1}
    assert worse == [int(at > 15) for at in range(30)]
    assert series["undefined"][0][1] == "AD" and HOSTILE not in page
    assert "bias" in data["specs"] and "DPPL of sex F" in page


def test_bias_of_rows_with_labels_has_a_section_of_its_own_that_says_so(with_bias: Path) -> None:
    for path in sorted((with_bias / "reports").rglob("report.json")):
        labelled = path.parents[5] / "model_bias" / path.relative_to(path.parents[4])
        labelled.parent.mkdir(parents=True)
        coverage = {"matched": 3, "waiting": 2, "expired": 1}
        report = json.loads(path.read_bytes()) | {"monitor": "model_bias", "labels": coverage}
        labelled.write_text(json.dumps(report))
        analysis = json.loads(path.with_name("analysis.json").read_bytes())
        entry = analysis["post_training_bias_metrics"]["facets"]["sex"][0]
        entry["metrics"][1] = {"name": "AD", "description": "", "value": 0.25}
        labelled.with_name("analysis.json").write_text(json.dumps(analysis))
    page = write_page(with_bias).read_text()
    assert [drawn["bias"]["series"][0]["metrics"] for drawn in packed(page)] == [["DPPL"], ["AD", "DPPL"]]
    sections = page.split("<section")[1:]
    assert ["of predictions with their labels" in text for text in sections] == [False, True]
    assert ["90 of 180 predictions have their label" in text for text in sections] == [False, True]


def test_an_analysis_that_cannot_be_read_is_named(with_bias: Path) -> None:
    broken = next((with_bias / "reports").rglob("analysis.json"))
    broken.write_text("{")
    assert "is left out" in write_page(with_bias).read_text()


@pytest.mark.parametrize(
    ("window", "words"),
    [
        (("2013-04-01T00:00:00Z", "2013-04-01T00:15:00Z"), "2013-04-01 00:00 to 00:15"),
        (("2013-04-01T23:00:00Z", "2013-04-02T00:00:00Z"), "2013-04-01 23:00 to 2013-04-02 00:00"),
        (("2013-04-01T02:00:00+02:00", "2013-04-02T02:00:00+02:00"), "2013-04-01"),
        (("2013-04-01T00:00:00.5Z", "2013-04-01T00:00:01Z"), "2013-04-01 00:00:00.500000 to 00:00:01"),
    ],
)
def test_a_window_is_named_in_utc(tmp_path: Path, window: tuple[str, str], words: str) -> None:
    (data,) = packed(page(put(tmp_path, report(window=dict(zip(("start", "end"), window, strict=True))))))
    assert data["windows"]["label"] == [words]


def test_sliding_windows_are_drawn_side_by_side(tmp_path: Path) -> None:
    """
    2h windows   |=======|
                     |=======|
    drawn        |---|-------|
    """
    windows = [("00:00", "02:00"), ("01:00", "03:00")]
    reports = [
        report(window={k: f"2013-04-01T{t}:00Z" for k, t in zip(("start", "end"), w, strict=True)})
        for w in windows
    ]
    (data,) = packed(page(put(tmp_path, *reports)))
    hour = 3_600_000
    starts, ends = data["windows"]["s"], data["windows"]["e"]
    assert ends[0] == starts[1] == starts[0] + hour
    assert ends[1] == starts[1] + 2 * hour


def test_a_distance_that_the_report_does_not_call_a_violation_is_no_drift(tmp_path: Path) -> None:
    drifts = [drift(feature_name="chance"), drift(feature_name="real")]
    violations = [_violation("real", "baseline_drift_check")]
    text = page(put(tmp_path, report(drift=drifts, violations=violations)))
    assert "1 of 2 features drifted" in Elements(text).text
    assert next(packed(text))["features"] == ["real", "chance"]
