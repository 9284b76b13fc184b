"""Signatures: what was signed with a known key is let in, and nothing else."""

import hashlib
import hmac
import json
import time

import pytest
from botocore.exceptions import ClientError

from doors import S3
from schemas.errors import ConfigError
from stream.ingest.door import Door
from stream.ingest.faults import Fault
from stream.ingest.queue import Queue
from stream.ingest.signature import Key, Request, Signed, claimed, verify
from stream.settings import FirehoseSettings

SIGNED_AT = 1_767_323_045_000  # 20260102T030405Z
KEY = {"access_key": "AKIDEXAMPLE", "secret_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
KEYS = {KEY["access_key"]: Key(KEY["secret_key"])}
HEADERS = {
    "content-type": "application/x-amz-json-1.1",
    "host": "127.0.0.1:4573",
    "x-amz-date": "20260102T030405Z",
    "x-amz-target": "Firehose_20150804.PutRecordBatch",
}


def signed(
    headers=None, body=b"{}", names=None, secret=KEY["secret_key"], scope="firehose", day="20260102"
) -> Request:
    """A request signed by hand, apart from botocore."""
    headers = dict(headers or HEADERS)
    names = sorted(headers) if names is None else names
    lines = "".join(f"{name}:{' '.join(headers.get(name, '').split())}\n" for name in names)
    digest = hashlib.sha256(body).hexdigest()
    canonical = f"POST\n/\n\n{lines}\n{';'.join(names)}\n{digest}"
    where = f"{day}/us-east-1/{scope}/aws4_request"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{where}\n{hashed}"
    key = f"AWS4{secret}".encode()
    for part in (*where.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    credential = f"Credential={KEY['access_key']}/{where}"
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 {credential}, SignedHeaders={';'.join(names)}, Signature={key.hex()}"
    )
    return Request("POST", "/", headers, body)


def refusal(request: Request, now: int = SIGNED_AT, keys=KEYS) -> str:
    with pytest.raises(Fault) as error:
        verify(request, keys, now)
    assert error.value.status == 400
    return error.value.name


def test_the_vector_of_the_specification_holds_and_no_change_of_one_byte_does(shared):
    vector = json.loads((shared / "spec" / "examples" / "sigv4_vector.json").read_text())
    where = f"Credential={vector['access_key']}/{vector['scope']}"
    header = (
        f"AWS4-HMAC-SHA256 {where}, SignedHeaders={vector['signed_headers']}, Signature={vector['signature']}"
    )
    headers = {**vector["headers"], "authorization": header}
    keys = {vector["access_key"]: Key(vector["secret_key"])}
    body = vector["body"].encode()
    assert verify(Request("POST", "/", headers, body), keys, SIGNED_AT) == Signed("AKIDEXAMPLE", "us-east-1")
    for at in range(len(body)):
        changed = bytearray(body)
        changed[at] ^= 1
        assert (
            refusal(Request("POST", "/", headers, bytes(changed)), keys=keys) == "InvalidSignatureException"
        )
    for name in vector["headers"]:
        if name != "x-amz-date":
            changed = {**headers, name: headers[name] + "x"}
            assert refusal(Request("POST", "/", changed, body), keys=keys) == "InvalidSignatureException"
    tampered = {**headers, "authorization": header[:-1] + ("0" if header[-1] != "0" else "1")}
    assert refusal(Request("POST", "/", tampered, body), keys=keys) == "InvalidSignatureException"


def test_what_other_clients_sign_besides_holds_too():
    more = {
        "user-agent": "aws-sdk-go",
        "amz-sdk-invocation-id": "7",
        "content-length": "2",
        "accept": "a   b",
    }
    digest = {"x-amz-content-sha256": hashlib.sha256(b"{}").hexdigest()}
    assert verify(signed({**HEADERS, **more, **digest}), KEYS, SIGNED_AT).key == "AKIDEXAMPLE"


@pytest.mark.parametrize("digest", ["UNSIGNED-PAYLOAD", hashlib.sha256(b"[]").hexdigest()])
def test_a_digest_that_is_not_of_the_body_does_not_stand_for_it(digest):
    request = signed({**HEADERS, "x-amz-content-sha256": digest})
    assert refusal(request) == "InvalidSignatureException"


@pytest.mark.parametrize(
    ("minutes", "holds"),
    [(0, True), (15, True), (-15, True), (15.01, False), (-15.01, False), (60 * 24, False)],
)
def test_a_signature_holds_for_fifteen_minutes_either_way(minutes, holds):
    now = SIGNED_AT + int(minutes * 60_000)
    if holds:
        verify(signed(), KEYS, now)
    else:
        assert refusal(signed(), now) == "InvalidSignatureException"


def test_each_fault_has_its_name():
    bare = Request("POST", "/", HEADERS, b"{}")
    assert refusal(bare) == "MissingAuthenticationTokenException"
    for header in (
        "Basic dTpw",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=b, Signature=c",
    ):
        request = Request("POST", "/", {**HEADERS, "authorization": header}, b"{}")
        assert refusal(request) == "IncompleteSignatureException"
    assert refusal(signed(), keys={}) == "UnrecognizedClientException"
    assert refusal(signed(secret="other")) == "InvalidSignatureException"
    assert refusal(signed(scope="s3")) == "InvalidSignatureException"
    assert refusal(signed(day="20260101")) == "InvalidSignatureException"
    assert refusal(signed({**HEADERS, "x-amz-date": "yesterday"})) == "IncompleteSignatureException"


@pytest.mark.parametrize("name", ["host", "x-amz-target", "x-amz-date"])
def test_what_decides_about_a_request_must_be_signed(name):
    assert refusal(signed(names=sorted(set(HEADERS) - {name}))) == "IncompleteSignatureException"


def test_a_header_that_was_signed_must_be_there():
    assert refusal(signed(names=sorted([*HEADERS, "x-other"]))) == "IncompleteSignatureException"


def test_a_session_token_is_asked_for_where_a_key_has_one():
    keys = {KEY["access_key"]: Key(KEY["secret_key"], token="session")}
    verify(signed({**HEADERS, "x-amz-security-token": "session"}), keys, SIGNED_AT)
    assert refusal(signed(), keys=keys) == "UnrecognizedClientException"
    assert (
        refusal(signed({**HEADERS, "x-amz-security-token": "old"}), keys=keys)
        == "UnrecognizedClientException"
    )
    assert refusal(signed({**HEADERS, "x-amz-security-token": "x"})) == "UnrecognizedClientException"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", Signed()),
        ("nonsense", Signed()),
        (
            "AWS4-HMAC-SHA256 Credential=a/b/20260102/eu-west-1/firehose/aws4_request, X",
            Signed("a/b", "eu-west-1"),
        ),
    ],
)
def test_who_sent_a_request_by_its_own_words(header, expected):
    assert claimed(Request("POST", "/", {"authorization": header}, b"")) == expected


def put(client) -> None:
    client.put_record(DeliveryStreamName="plain", Record={"Data": b"x"})


def test_boto3_is_let_in_with_a_key_and_not_without(open_door, clock):
    clock.now = int(time.time() * 1_000)  # boto3 signs with the real time
    token = {"access_key": "temporary", "secret_key": "s", "session_token": "t"}
    door = open_door(keys=[KEY, token])
    client = door.client(KEY["access_key"], KEY["secret_key"])
    client.create_delivery_stream(DeliveryStreamName="plain", S3DestinationConfiguration=S3)
    put(client)
    put(door.client("temporary", "s", "t"))
    assert len(door.stored("plain")) == 2
    for wrong, name in (
        (door.client(KEY["access_key"], "other"), "InvalidSignatureException"),
        (door.client("nobody", KEY["secret_key"]), "UnrecognizedClientException"),
        (door.client("temporary", "s", "other"), "UnrecognizedClientException"),
        (door.client("temporary", "s"), "UnrecognizedClientException"),
    ):
        with pytest.raises(ClientError) as error:
            put(wrong)
        assert error.value.response["Error"]["Code"] == name
    clock.now += 16 * 60_000
    with pytest.raises(ClientError, match="Signature expired"):
        put(client)
    assert len(door.stored("plain")) == 2


def test_without_keys_a_client_says_itself_who_and_where_it_is(open_door):
    door = open_door()
    made = door.client("123456789012").create_delivery_stream(
        DeliveryStreamName="mine", S3DestinationConfiguration=S3
    )
    assert made["DeliveryStreamARN"] == "arn:aws:firehose:us-east-1:123456789012:deliverystream/mine"


def test_settings_stand_above_what_a_client_says(open_door):
    door = open_door(region="cn-north-1", account="999999999999")
    made = door.client().create_delivery_stream(DeliveryStreamName="s", S3DestinationConfiguration=S3)
    assert made["DeliveryStreamARN"] == "arn:aws-cn:firehose:cn-north-1:999999999999:deliverystream/s"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.1", "::", "example.com"])
def test_a_door_that_others_can_reach_needs_keys(tmp_path, host, clock):
    queue = Queue(tmp_path / "queue.db")
    with pytest.raises(ConfigError, match=r"set firehose\.keys"):
        Door(FirehoseSettings(host=host), queue, clock)
    Door(FirehoseSettings(host=host, keys=[KEY]), queue, clock)
    queue.close()


def test_secrets_are_not_shown_with_the_settings():
    settings = FirehoseSettings(keys=[{**KEY, "session_token": "token"}])
    assert KEY["secret_key"] not in repr(settings) and "='token'" not in repr(settings)
