"""Signature Version 4: who sent a request, recomputed with botocore's own signer."""

import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, HTTPHeaders
from botocore.credentials import Credentials
from msgspec import Struct

from schemas.times import to_datetime
from stream.ingest.faults import Fault

MAX_SKEW_MS = 15 * 60_000
_SERVICE = "firehose"
_FORM = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=(?P<credential>[^,\s]+),\s*SignedHeaders=(?P<headers>[^,\s]+),\s*"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)
_CREDENTIAL = re.compile(r"Credential=([^,\s]+)")
_SCOPE = re.compile(r"(?P<key>.+)/(?P<day>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")


class Key(Struct, frozen=True):
    """What a client may sign with; a `token` is asked for where there is one."""

    secret: str
    token: str | None = None


class Request(Struct, frozen=True):
    """A request as it came; the names of headers in small letters, several of one name joined by a comma."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class Signed(Struct, frozen=True):
    """Who says to have sent a request, and for which region."""

    key: str = ""
    region: str = ""


def claimed(request: Request) -> Signed:
    """Who sent the request by what it says itself; nothing is checked."""
    found = _CREDENTIAL.search(request.headers.get("authorization", ""))
    scope = found and _SCOPE.fullmatch(found[1])
    return Signed(scope["key"], scope["region"]) if scope else Signed()


def verify(request: Request, keys: Mapping[str, Key], now: int) -> Signed:
    """Who sent the request; `now` is in ms since the epoch. Raises Fault when the signature does not hold."""
    header = request.headers.get("authorization")
    if not header:
        raise Fault("MissingAuthenticationTokenException", "Missing Authentication Token")
    found = _FORM.fullmatch(header.strip())
    scope = found and _SCOPE.fullmatch(found["credential"])
    if not found or not scope:
        raise Fault(
            "IncompleteSignatureException", "The Authorization header is not one of AWS4-HMAC-SHA256."
        )
    key = keys.get(scope["key"])
    if key is None or not _same(request.headers.get("x-amz-security-token", ""), key.token or ""):
        raise Fault("UnrecognizedClientException", "The security token included in the request is invalid.")
    names = found["headers"].split(";")
    _check_headers(request, names)
    _check_time(request.headers["x-amz-date"], scope["day"], now)
    if scope["service"] != _SERVICE:
        raise _wrong(f"Credential should be scoped to correct service: '{_SERVICE}'.")
    if not _same(_signature(request, names, scope, key.secret), found["signature"]):
        raise _wrong("The request signature we calculated does not match the signature you provided.")
    return Signed(scope["key"], scope["region"])


def _same(mine: str, theirs: str) -> bool:
    return hmac.compare_digest(mine.encode(), theirs.encode())


def _wrong(message: str) -> Fault:
    return Fault("InvalidSignatureException", message)


def _check_headers(request: Request, names: list[str]) -> None:
    """What decides about a request must be under its signature, and the body be the one that was signed."""
    needed = {"host", "x-amz-date"} | {name for name in request.headers if name.startswith("x-amz-")}
    if missing := sorted(needed - set(names)) or sorted(set(names) - set(request.headers)):
        raise Fault("IncompleteSignatureException", f"Headers not there or not signed: {', '.join(missing)}.")
    stated = request.headers.get("x-amz-content-sha256")
    if stated is not None and not _same(sha256(request.body).hexdigest(), stated):
        raise _wrong("The body is not the one that was signed.")


def _check_time(stamp: str, day: str, now: int) -> None:
    try:
        signed = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise Fault(
            "IncompleteSignatureException", "X-Amz-Date is not of the form yyyymmddThhmmssZ."
        ) from error
    if stamp[:8] != day:
        raise _wrong(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP."
        )
    skew = now - signed.timestamp() * 1_000
    if abs(skew) > MAX_SKEW_MS:
        word = "expired" if skew > 0 else "not yet current"
        raise _wrong(f"Signature {word}: {stamp} is too far from {to_datetime(now):%Y%m%dT%H%M%SZ}.")


def _signature(request: Request, names: list[str], scope: re.Match[str], secret: str) -> str:
    """The signature that the request should have."""
    signer = _Signer(Credentials(scope["key"], secret), _SERVICE, scope["region"])
    url = f"http://{request.headers['host']}{request.target}"
    headers = {name: request.headers[name] for name in names}
    mine = AWSRequest(method=request.method, url=url, data=request.body, headers=headers)
    mine.context["timestamp"] = request.headers["x-amz-date"]
    text = signer.string_to_sign(mine, signer.canonical_request(mine))
    return str(signer.signature(text, mine))


class _Signer(SigV4Auth):  # type: ignore[misc]
    """Signs the headers that the client named; botocore's own leaves some out that others sign."""

    def headers_to_sign(self, request: Any) -> HTTPHeaders:
        signed = HTTPHeaders()
        for name, value in request.headers.items():
            signed[name.lower()] = value
        return signed
