"""An OpenSearch cluster: where it is, who asks, and how requests are made to it."""

import ssl
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct
from opensearchpy import OpenSearch, Urllib3AWSV4SignerAuth, Urllib3HttpConnection
from opensearchpy.exceptions import OpenSearchException, TransportError

from schemas.errors import ConfigError
from sinks.refused import Refused
from sinks.rotation import PERIODS

TIMEOUT = 60.0  # seconds

_MESSAGE = 8192  # characters of what is kept of an answer

Bulk = Callable[[bytes], object]  # the answer as it was decoded, or Refused for the request as a whole
# The same for any request: method, path, and a body that is sent as JSON, or as it is where it is bytes.
Ask = Callable[[str, str, object], object]


class Cluster(Struct, frozen=True, kw_only=True):
    """What an OpenSearch destination is configured to do. Times are in seconds.

    `cadence` is the time between two attempts: AWS's five minutes are long where a cluster is near. With
    `operation` create, which AWS does not have, data streams can be written to. `ids`: documents have ids
    made of their sequence numbers; without, the cluster makes them and a retry may store one twice.
    """

    url: str
    index: str
    rotation: str = "OneDay"
    us_weeks: bool = False
    kind: str = ""
    ids: bool = True
    operation: Literal["index", "create"] = "index"
    retry: float = 300.0
    cadence: float = 300.0
    serverless: bool = False

    @classmethod
    def of(
        cls, document: Mapping[str, Any], addresses: Mapping[str, str] | None = None, **more: Any
    ) -> "Cluster":
        """From the configuration of an OpenSearch, Elasticsearch or OpenSearch Serverless destination.

        `addresses` say where a DomainARN or an endpoint really is. `more` are fields that AWS's document does
        not have. Raises ConfigError.
        """
        serverless = "CollectionEndpoint" in document
        name = (
            document.get("CollectionEndpoint") or document.get("ClusterEndpoint") or document.get("DomainARN")
        )
        url = (addresses or {}).get(name or "", name or "")
        if not url.startswith(("http://", "https://")):
            raise ConfigError(f"no address is configured for the OpenSearch domain {name!r}")
        rotation = "NoRotation" if serverless else document.get("IndexRotationPeriod") or "OneDay"
        if rotation not in PERIODS:
            raise ConfigError(f"there is no IndexRotationPeriod {rotation!r}")
        given = (document.get("DocumentIdOptions") or {}).get("DefaultDocumentIdFormat")
        return cls(
            url=url,
            index=document["IndexName"],
            rotation=rotation,
            kind=document.get("TypeName") or "",
            ids=not serverless and given != "NO_DOCUMENT_ID",
            retry=(document.get("RetryOptions") or {}).get("DurationInSeconds", 300),
            serverless=serverless,
            **more,
        )


class Access(Struct, frozen=True, kw_only=True):
    """Who asks, and how the cluster is trusted. `region` signs requests with AWS credentials from where boto3
    looks for them (service `aoss` for Serverless); `user` and `password` are basic authentication."""

    user: str = ""
    password: str = ""
    region: str = ""
    service: str = "es"
    verify: bool = True
    ca: str | None = None  # file of certificates to trust
    certificate: str | None = None
    key: str | None = None

    def __repr__(self) -> str:
        return f"Access(user={self.user!r}, region={self.region!r})"


def connect(url: str, access: Access | None = None, timeout: float = TIMEOUT) -> Bulk:
    """A way to send bulk requests to the cluster at `url`. Raises ConfigError."""
    return bulk_of(reach(url, access, timeout))


def bulk_of(ask: Ask) -> Bulk:
    """Bulk requests by way of `ask`."""
    return lambda body: ask("POST", "/_bulk", body)


def reach(url: str, access: Access | None = None, timeout: float = TIMEOUT) -> Ask:
    """A way to make requests to the cluster at `url`; `timeout` is in seconds. Raises ConfigError."""
    access = access or Access()
    tls: dict[str, Any] = {}
    if url.startswith("https://"):
        tls = {"verify_certs": access.verify, "ssl_show_warn": False, "ca_certs": access.ca}
        tls |= {"client_cert": access.certificate, "client_key": access.key}
        if not access.verify:
            tls["ssl_assert_hostname"] = False
    try:
        if tls and access.ca:
            ssl.create_default_context(cafile=access.ca)  # the client would find out at its first request
        client = OpenSearch(
            [url],
            connection_class=Urllib3HttpConnection,
            http_auth=_authentication(access),
            timeout=timeout,
            max_retries=0,  # to try again is the caller's
            **{name: value for name, value in tls.items() if value is not None},
        )
    except (OpenSearchException, OSError, ValueError) as error:
        named = f", {access.ca}" if isinstance(error, OSError) and access.ca else ""
        raise ConfigError(f"OpenSearch at {url}{named}: {error}") from error
    return lambda method, path, body: _send(client, method, path, body)


def _authentication(access: Access) -> Any:
    if access.region:
        from boto3 import Session  # takes a second to load, for those who need it

        credentials = Session().get_credentials()
        if credentials is None:
            raise ConfigError("requests to OpenSearch are to be signed, and there are no AWS credentials")
        return Urllib3AWSV4SignerAuth(credentials, access.region, access.service)
    return (access.user, access.password) if access.user else None


def _send(client: OpenSearch, method: str, path: str, body: object) -> object:
    lines = isinstance(body, bytes)
    # In small letters, to replace the client's own.
    headers = {"content-type": "application/x-ndjson" if lines else "application/json"}
    sent = body if lines or body is None else msgspec.json.encode(body)
    try:
        return client.transport.perform_request(method, path, body=sent, headers=headers)
    except TransportError as error:
        code = error.status_code
        if isinstance(code, int):
            return Refused(str(code), f"{code}: {error.info or error.error}"[:_MESSAGE])
        late = code == "TIMEOUT"
        return Refused(
            f"OpenSearch.{'RequestTimeout' if late else 'ConnectionFailed'}", str(error.error)[:_MESSAGE]
        )
    except OpenSearchException as error:  # what came is no JSON
        return Refused("OpenSearch.InvalidResponse", type(error).__name__)
