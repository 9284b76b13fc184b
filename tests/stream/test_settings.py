"""Settings: every mistake at once, with its place; paths relative to the file; the command line on top."""

from datetime import timedelta
from pathlib import Path

import pytest

from schemas.errors import ConfigError
from stream.settings import Settings, WindowSettings, load


@pytest.fixture
def write(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "conf" / "streamgauge.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write


def mistakes(path: Path | None, overrides: dict | None = None) -> dict[str, str]:
    """What a ConfigError says, by place."""
    with pytest.raises(ConfigError) as error:
        load(path, overrides)
    _, _, listed = str(error.value).partition(": ")
    return dict(line.strip().split(": ", 1) for line in listed.strip().splitlines())


def test_without_a_file_everything_has_a_default():
    settings = load(None)
    assert settings == Settings()
    assert (settings.output, settings.baseline, settings.source.captures) == (Path("out"), None, ())
    assert (settings.window.size, settings.window.lateness) == (timedelta(hours=1), timedelta(minutes=5))


def test_every_mistake_is_named_at_once_with_its_place(write):
    path = write("""
        output = "s3://bucket/out"
        rows = ""
        lateness = "5m"
        [window]
        size = "an hour"
        lateness = 5
        retention = "0.1"
        max_ahead = "99999999999d"
        sise = "1h"
        [columns]
        outputs = "score"
        output_position = "MIDDLE"
        [source]
        captures = "here"
        endpoint = ""
        poll = "0s"
        [checkpoint]
        rows = 0
        [endpoints.churn]
        baselin = "x"
        [endpoints.fraud.columns]
        outputs = ["score", 3]
    """)
    found = mistakes(path)
    assert found == {
        "output": "s3://bucket/out is not on this machine; give a local directory",
        "rows": "must not be empty",
        "lateness": "there is no such setting; did you mean window.lateness?",
        "window.size": "'an hour' is not a duration: write 30s, 5m, 1h, 1d, or ISO 8601 such as PT1H",
        "window.lateness": "5 has no unit: write a duration in quotes, such as '30s', '5m', '1h', '1d'",
        "window.retention": "'0.1' is not a duration: write 30s, 5m, 1h, 1d, or ISO 8601 such as PT1H",
        "window.max_ahead": "'99999999999d' is too long a duration",
        "window.sise": "there is no such setting; did you mean window.size?",
        "columns.outputs": "must be a list",
        "columns.output_position": "must be 'START' or 'END'",
        "source.captures": "must be a list",
        "source.endpoint": "must not be empty",
        "source.poll": "must be greater than 0 seconds",
        "checkpoint.rows": "must be greater than or equal to 1",
        "endpoints.churn.baselin": "there is no such setting; did you mean endpoints.NAME.baseline?",
        "endpoints.fraud.columns.outputs.1": "must be a valid string",
    }


def test_a_single_mistake_stands_on_one_line_with_its_file(write):
    path = write('[window]\nsize = "1x"')
    with pytest.raises(ConfigError) as error:
        load(path)
    assert str(error.value).startswith(f"{path}: window.size: '1x' is not a duration")


def test_a_setting_that_nothing_resembles_gets_no_guess(write):
    assert mistakes(write("zzz = 1")) == {"zzz": "there is no such setting"}


@pytest.mark.parametrize(
    ("text", "message"),
    [("output = \n", "line 1"), ("[a\n", "line 1"), ("x = 1\nx = 2\n", "line 2")],
)
def test_what_is_no_toml_is_named_with_its_line(write, text, message):
    path = write(text)
    with pytest.raises(ConfigError, match=message) as error:
        load(path)
    assert str(error.value).startswith(f"{path}: ")


def test_a_file_that_is_no_text_or_not_there_is_named(write, tmp_path):
    path = write("")
    path.write_bytes(b"\xff\xfe")
    for place in (path, tmp_path, tmp_path / "nowhere.toml"):
        with pytest.raises(ConfigError, match=str(place)):
            load(place)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("1h30m", 5_400),
        ("1.5h", 5_400),
        ("PT1H", 3_600),
        ("P1D", 86_400),
        ("2d", 172_800),
        (" 5m ", 300),
    ],
)
def test_durations_are_written_short_or_as_iso_8601(write, text, seconds):
    assert load(write(f'[window]\nsize = "{text}"')).window.size == timedelta(seconds=seconds)


@pytest.mark.parametrize(("size", "fits"), [("1s", True), ("999ms", False), ("366d", True), ("367d", False)])
def test_a_window_is_from_a_second_to_a_year(write, size, fits):
    path = write(f'[window]\nsize = "{size}"')
    if fits:
        assert load(path).window.size > timedelta(0)
    else:
        assert mistakes(path).keys() == {"window.size"}


def test_paths_are_relative_to_the_file_and_uris_stay(write, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    path = write("""
        output = "out"
        baseline = "../baseline"
        rows = "s3://bucket/rows"
        [source]
        captures = ["captures", "/data", "s3://bucket/captures", "~/captures"]
        [endpoints.churn]
        baseline = "~/churn"
    """)
    settings = load(path)
    assert settings.output == tmp_path / "conf" / "out"
    assert settings.baseline == tmp_path / "conf" / ".." / "baseline"
    assert settings.rows == "s3://bucket/rows"
    assert settings.source.captures == (
        str(tmp_path / "conf" / "captures"),
        "/data",
        "s3://bucket/captures",
        "/home/ada/captures",
    )
    assert settings.endpoints["churn"].baseline == Path("/home/ada/churn")


def test_overrides_stand_above_the_file_one_by_one(write):
    path = write('output = "out"\n[window]\nsize = "1h"\nlateness = "1m"\n[source]\nendpoint = "churn"')
    over = {"output": Path("here"), "window": {"size": "1d"}, "source": {"captures": ["a"]}}
    settings = load(path, over)
    assert settings.output == Path("here")  # relative to where the command runs, not to the file
    assert (settings.window.size, settings.window.lateness) == (timedelta(days=1), timedelta(minutes=1))
    assert (settings.source.captures, settings.source.endpoint) == (("a",), "churn")


def test_an_override_does_not_hide_a_mistake_of_the_file(write):
    assert mistakes(write("window = 5"), {"window": {"size": "1d"}}) == {"window": "must be a table"}


def test_a_mistake_without_a_file_is_told_too():
    assert mistakes(None, {"window": {"size": "0s"}}) == {
        "window.size": "must be greater than or equal to 1 second"
    }


def test_settings_do_not_change_and_take_durations_as_values():
    window = WindowSettings(size=timedelta(minutes=7))
    assert window.size == timedelta(minutes=7)
    with pytest.raises(ValueError, match="frozen"):
        window.size = timedelta(1)  # type: ignore[misc]


def test_a_stream_holds_captures_or_labels(tmp_path):
    file = tmp_path / "streamgauge.toml"
    file.write_text('[firehose]\nwatch = { a = "churn", b = "churn" }\nlabels = ["b"]\n')
    with pytest.raises(ConfigError, match="firehose: b: in watch and in labels"):
        load(file)


def test_each_topic_holds_one_thing(tmp_path):
    file = tmp_path / "streamgauge.toml"
    file.write_text('[kafka]\ncaptures = "traffic"\nlabels = "traffic"\n')
    with pytest.raises(ConfigError, match="kafka: one topic for several things: traffic"):
        load(file)
