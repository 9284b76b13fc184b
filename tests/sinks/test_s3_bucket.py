"""S3: what is sent, in one request or several, and what each answer means; a small server plays S3."""

import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import pyarrow as pa
import pytest

from schemas.errors import SinkBusy
from sinks.bucket import BucketRefused
from sinks.s3_bucket import S3Buckets

UPLOAD = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
DONE = "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>"


class Request:
    def __init__(self, method, path, headers, body):
        self.method, self.headers, self.body = method, headers, body
        self.key = unquote(urlsplit(path).path)
        self.query = parse_qs(urlsplit(path).query, keep_blank_values=True)


@contextmanager
def s3(answer=lambda request: None):
    """Requests as they come; `answer` gives (status, error code) for those that are to fail."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def reply(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if "aws-chunked" in self.headers.get("Content-Encoding", ""):
                body = b"".join(re.findall(rb"^[0-9a-f]+\r\n(.*)\r\n0\r\n", body, re.DOTALL))
            request = Request(self.command, self.path, dict(self.headers), body)
            seen.append(request)
            status, code = answer(request) or (200, "")
            xml = f"<Error><Code>{code}</Code><Message>said</Message></Error>" if code else ""
            if not code and request.method == "POST":
                xml = UPLOAD if "uploads" in request.query else DONE
            self.send_response(status)
            self.send_header("ETag", '"e"')
            self.send_header("Content-Length", str(len(xml)))
            self.end_headers()
            self.wfile.write(xml.encode())

        do_PUT = do_POST = do_DELETE = reply

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def credentials(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


def put(url, key="raw/o.gz", body=b"body", bucket="lake", **about):
    about = {"content_type": "application/octet-stream"} | about
    S3Buckets(endpoint_url=url, region="us-east-1").put(bucket, key, body, **about)


def test_an_object_is_one_put_with_all_that_is_known_of_it():
    with s3() as (url, seen):
        put(url, body=pa.py_buffer(b"body"), content_encoding="gzip", sse="arn:aws:kms:us-east-1:0:key/k")
    (request,) = seen
    assert (request.method, request.key, request.body) == ("PUT", "/lake/raw/o.gz", b"body")
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert headers["content-type"] == "application/octet-stream"
    assert "gzip" in headers["content-encoding"]
    assert headers["x-amz-acl"] == "bucket-owner-full-control"
    assert headers["x-amz-server-side-encryption"] == "aws:kms"
    assert headers["x-amz-server-side-encryption-aws-kms-key-id"].endswith("key/k")


def test_what_was_not_asked_for_is_not_sent():
    with s3() as (url, seen):
        put(url)
    names = {name.lower() for name in seen[0].headers}
    assert not any("encryption" in name for name in names)
    assert "gzip" not in seen[0].headers.get("Content-Encoding", "")


@pytest.mark.parametrize("key", ["../x", "//a//", "a b/é", "a%2Fb", "x/../../y"])
def test_a_key_arrives_as_it_is(key):
    with s3() as (url, seen):
        put(url, key)
    assert seen[0].key == f"/lake/{key}"


def test_a_large_body_goes_in_parts_of_16_mib():
    body = bytes(range(256)) * (130 << 10)  # 32.5 MiB
    with s3() as (url, seen):
        put(url, body=pa.py_buffer(body), content_encoding="gzip", sse="k")
    begin, *parts, complete = seen
    assert (begin.method, list(begin.query)) == ("POST", ["uploads"])
    assert begin.headers["Content-Encoding"] == "gzip"
    assert {name.lower() for name in begin.headers} >= {"x-amz-server-side-encryption", "x-amz-acl"}
    assert [part.query["partNumber"] for part in parts] == [["1"], ["2"], ["3"]]
    assert b"".join(part.body for part in parts) == body
    assert complete.query == {"uploadId": ["u"]}


def test_a_large_body_that_fails_half_way_is_given_up_and_may_be_put_again():
    def second_part_fails(request):
        return (503, "SlowDown") if request.query.get("partNumber") == ["2"] else None

    with s3(second_part_fails) as (url, seen), pytest.raises(SinkBusy, match="SlowDown"):
        put(url, body=b"x" * (40 << 20))
    assert seen[-1].method == "DELETE", "parts of an upload that is not completed cost money"


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (503, "SlowDown", SinkBusy),
        (500, "InternalError", SinkBusy),
        (403, "AccessDenied", SinkBusy),
        (404, "NoSuchBucket", SinkBusy),
        (400, "KMS.DisabledException", SinkBusy),
        (400, "KeyTooLongError", BucketRefused),
        (400, "EntityTooLarge", BucketRefused),
    ],
)
def test_an_error_is_told_and_not_tried_again(status, code, expected):
    with (
        s3(lambda _: (status, code)) as (url, seen),
        pytest.raises(expected, match=f"s3://lake/raw.*{code}: said"),
    ):
        put(url)
    assert len(seen) == 1


def test_a_server_that_is_not_there_is_busy_and_a_name_that_cannot_be_is_refused():
    with s3() as (url, _):
        pass
    with pytest.raises(SinkBusy, match="s3://lake/"):
        put(url)
    with pytest.raises(BucketRefused, match="not a bucket"):
        put(url, bucket="not a bucket")


def test_a_store_that_knows_no_access_lists_is_not_asked_for_one_again():
    def answer(request):
        return (501, "NotImplemented") if "x-amz-acl" in request.headers else None

    with s3(answer) as (url, seen):
        buckets = S3Buckets(endpoint_url=url, region="us-east-1")
        for key in "ab":
            buckets.put("lake", key, pa.py_buffer(b"x"))
    assert [("x-amz-acl" in request.headers, request.key) for request in seen] == [
        (True, "/lake/a"),
        (False, "/lake/a"),
        (False, "/lake/b"),
    ]
