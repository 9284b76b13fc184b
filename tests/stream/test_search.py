"""The sink as it is set: who asks, how the cluster is trusted, what indices are called."""

import base64
import json

import pytest

from schemas.errors import ConfigError, SinkBusy
from schemas.frame import Subject
from schemas.report import Counts, Finding, Report, Window
from sinks.search_templates import INDICES
from stream.search import search_sink
from stream.search_settings import SearchSettings

REPORT = Report(Subject("churn"), "data_quality", Window(0, 3_600_000), 0, Counts(), Finding([], [], {}))


def settings(server, **more) -> SearchSettings:
    return SearchSettings.model_validate({"url": server.url.partition("/ingest")[0], **more})


def test_requests_carry_user_and_password(scripted):
    server = scripted((401, {}, b"Unauthorized"))
    with pytest.raises(SinkBusy, match="401"):
        search_sink(settings(server, user="ann", password="s3")).write([REPORT])
    (request,) = server.requests
    assert request.headers["Authorization"] == f"Basic {base64.b64encode(b'ann:s3').decode()}"
    assert request.headers.get_all("Content-Type") == ["application/x-ndjson"]


def test_requests_are_signed_for_a_region(scripted, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    server = scripted((403, {}, b"{}"))
    with pytest.raises(SinkBusy, match="403"):
        search_sink(settings(server, region="eu-west-1")).prepare()
    (request,) = server.requests
    assert "AKIDEXAMPLE" in request.headers["Authorization"]
    assert "/eu-west-1/es/aws4_request" in request.headers["Authorization"]


def test_templates_and_bodies_are_json_and_named_by_the_prefix(scripted):
    server = scripted((200, {}, b'{"index_templates": []}'))
    search_sink(settings(server, prefix="mine", shards=3, replicas=2)).prepare()
    put = [request for request in server.requests if request.path.startswith("/_index_template/mine-")]
    bodies = [json.loads(request.body) for request in put if request.method == "PUT"]
    assert [body["index_patterns"] for body in bodies] == [[f"mine-{kind}"] for kind in INDICES]
    assert {str(body["template"]["settings"]) for body in bodies} == {
        "{'index': {'number_of_shards': 3, 'number_of_replicas': 2}}"
    }
    assert {request.headers["Content-Type"] for request in put} == {"application/json"}


def test_serverless_and_unreadable_certificates_are_mistakes_of_settings():
    with pytest.raises(ConfigError, match="Serverless"):
        search_sink(SearchSettings(url="https://x", region="eu-west-1", service="aoss"))
    with pytest.raises(ConfigError, match=r"none\.pem"):
        search_sink(SearchSettings.model_validate({"url": "https://127.0.0.1:1", "ca": "/none.pem"}))
