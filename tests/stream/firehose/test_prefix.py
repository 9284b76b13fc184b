"""Keys of objects: the documented and measured cases, what is refused, and names that are repeated."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from stream.firehose import expressions, prefix
from stream.firehose.compression import FORMATS
from stream.firehose.naming import Origin, Stream, key, object_id

ARRIVED = 1_767_323_045_000  # 2026-01-02T03:04:05Z
STREAM = Stream("s", "arn:aws:firehose:us-east-1:000000000000:deliverystream/s", "1", "2026-01-01T00:00:00Z")
ORIGIN = Origin(17, "data")
ERRORS = "e/!{firehose:error-output-type}/"
KEYS = "by/m=!{partitionKeyFromQuery:model}/z=!{partitionKeyFromLambda:zone}/"


def made(text, zone=None, extension="", arrived=ARRIVED, origin=ORIGIN):
    parts = prefix.main(text)
    name = key(parts, extension, STREAM, origin, arrived, prefix.check_zone(zone))
    return name.replace(str(object_id(STREAM, origin)), "<uuid>")


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        (None, None, "2026/01/02/03/s-1-2026-01-02-03-04-05-<uuid>"),
        ("", None, "2026/01/02/03/s-1-2026-01-02-03-04-05-<uuid>"),
        ("raw/", None, "raw/2026/01/02/03/s-1-2026-01-02-03-04-05-<uuid>"),
        ("raw", None, "raw2026/01/02/03/s-1-2026-01-02-03-04-05-<uuid>"),
        ("/raw/", None, "/raw/2026/01/02/03/s-1-2026-01-02-03-04-05-<uuid>"),
        ("dt=!{timestamp:yyyy-MM-dd}/", None, "dt=2026-01-02/s-1-2026-01-02-03-04-05-<uuid>"),
        ("!{timestamp:'dt='yyyy-DDD}/", None, "dt=2026-002/s-1-2026-01-02-03-04-05-<uuid>"),
        ("p/", "Asia/Tokyo", "p/2026/01/02/12/s-1-2026-01-02-12-04-05-<uuid>"),
        ("a!b{c}", None, "a!b{c}2026/01/02/03/s-1-2026-01-02-03-04-05-<uuid>"),
    ],
)
def test_documented_and_measured_keys(text, zone, expected):
    prefix.check(text, ERRORS, partitioning=False)
    assert made(text, zone) == expected


@pytest.mark.parametrize("format", FORMATS)
def test_the_extension_follows_the_compression(format):
    expected = {"UNCOMPRESSED": "", "GZIP": ".gz", "ZIP": ".zip"}.get(format, ".snappy")
    made_key = made("p/", extension=FORMATS[format].extension)
    assert made_key == f"p/2026/01/02/03/s-1-2026-01-02-03-04-05-<uuid>{expected}"


def test_the_last_second_of_a_year_stays_in_it():
    last = 1_767_225_599_000
    assert made("", arrived=last) == "2025/12/31/23/s-1-2025-12-31-23-59-59-<uuid>"
    assert made("", "Asia/Tokyo", arrived=last).startswith("2026/01/01/08/s-1-2026-01-01-08-59-59-")


def test_a_random_text_is_new_for_each_object_and_occurrence_and_still_gets_a_date():
    text = "!{firehose:random-string}/!{firehose:random-string}/"
    (a, b, *date), (c, d, *_) = (made(text, origin=Origin(n, "data")).split("/") for n in (1, 2))
    assert len({a, b, c, d}) == 4
    assert all(len(part) == 11 and part.replace("-", "").replace("_", "").isalnum() for part in (a, b, c, d))
    assert date[:4] == ["2026", "01", "02", "03"]
    assert made(text) == made(text)


def test_a_name_is_that_of_its_stream_range_kind_and_partition_and_of_nothing_else():
    again = Stream(STREAM.name, STREAM.arn, STREAM.version, "2026-01-01T09:00:00Z")
    newer = Stream(STREAM.name, STREAM.arn, "2", STREAM.identity)
    ids = [
        object_id(stream, origin)
        for stream in (STREAM, again)
        for origin in (ORIGIN, Origin(18, "data"), Origin(17, "backup"), Origin(17, "data", ("m=1/",)))
    ]
    assert len(set(ids)) == len(ids)
    assert object_id(newer, ORIGIN) == object_id(STREAM, ORIGIN)


@pytest.mark.parametrize(
    ("text", "errors", "why"),
    [
        ("dt=!{timestamp:yyyy}/", None, "needs an ErrorOutputPrefix"),
        ("x!{firehose:error-output-type}/", None, "must not hold"),
        (None, "e/!{timestamp:yyyy}/", "must hold"),
        ("x!{nope:1}/", ERRORS, "not a namespace"),
        ("x!{timestamp:yyyy/", ERRORS, "not closed"),
        ("x!{timestamp:yyyy!{timestamp:MM}/", ERRORS, "not closed"),
        ("x!{", ERRORS, "not closed"),
        ("x!{}", ERRORS, "not of the form"),
        ("x!{timestamp}", ERRORS, "not of the form"),
        ("x!{timestamp:}", ERRORS, "not of the form"),
        ("x!{timestamp:T}/", ERRORS, "not accepted"),
        ("x!{firehose:random}/", ERRORS, "has only"),
        (None, "e/!{firehose:error-output-type}/!{partitionKeyFromQuery:a}/", "must not hold partition keys"),
        ("x!{partitionKeyFromQuery:a}/", ERRORS, "need dynamic partitioning"),
        ("x" * 1025, None, "longer than 1024"),
        ("x" * 513, None, "longer than 512"),
        (None, "x" * 513, "longer than 512"),
    ],
)
def test_what_the_service_refuses_is_refused(text, errors, why):
    with pytest.raises(ValueError, match=why):
        prefix.check(text, errors, partitioning=False)


def test_the_date_that_is_added_does_not_count_for_the_length():
    prefix.check("x" * 512, None, partitioning=False)
    assert made("x" * 512).startswith("x" * 512 + "2026/")


@pytest.mark.parametrize(
    ("text", "errors", "queried", "given", "why"),
    [
        ("plain/", ERRORS, ["model"], None, "needs a partition key"),
        (KEYS, None, ["model"], [], "ErrorOutputPrefix"),
        (KEYS, ERRORS, None, [], "MetadataExtraction"),
        (KEYS, ERRORS, ["model"], None, "Lambda processor"),
        (KEYS, ERRORS, ["other", "model"], [], "does not hold: other"),
        (KEYS, ERRORS, ["zone"], [], "does not make: model"),
    ],
)
def test_partition_keys_and_their_sources_belong_together(text, errors, queried, given, why):
    with pytest.raises(ValueError, match=why):
        prefix.check(text, errors, partitioning=True, query_keys=queried, lambda_keys=given)


def test_bound_keys_are_text_and_no_date_is_added():
    prefix.check(KEYS, ERRORS, partitioning=True, query_keys=["model"], lambda_keys=[])
    parts = expressions.bound(prefix.main(KEYS), {"model": "!{timestamp:yyyy}"}, {"zone": "a/../b"})
    assert parts == ("by/m=!{timestamp:yyyy}/z=a/../b/",)
    place = prefix.Place(datetime(2026, 1, 2, tzinfo=UTC), "")
    assert prefix.render(parts, place) == "by/m=!{timestamp:yyyy}/z=a/../b/"


@pytest.mark.parametrize(
    ("text", "errors", "expected"),
    [
        (None, None, "processing-failed/2026/01/02/03/"),
        ("raw/", None, "raw/processing-failed/2026/01/02/03/"),
        ("raw/", "bad-", "bad-processing-failed/2026/01/02/03/"),
        ("raw/", "", "processing-failed/2026/01/02/03/"),
        ("raw/!{timestamp:yyyy}/", ERRORS, "e/processing-failed/"),
        (None, "!{timestamp:yyyy}/" + ERRORS, "2026/e/processing-failed/"),
    ],
)
def test_error_records_have_a_prefix_of_their_own(text, errors, expected):
    place = prefix.Place(datetime(2026, 1, 2, 3, tzinfo=UTC), "", "processing-failed")
    assert prefix.render(prefix.errors(errors, text), place) == expected


@pytest.mark.parametrize(
    "zone", ["", "Nowhere/Town", "../etc/passwd", "/etc/passwd", "Etc/GMT+9", "Asia", "x" * 51]
)
def test_a_time_zone_is_one_that_exists(zone):
    with pytest.raises(ValueError, match="CustomTimeZone"):
        prefix.check_zone(zone)
    assert prefix.check_zone("Asia/Calcutta") == ZoneInfo("Asia/Calcutta")
