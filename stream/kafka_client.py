"""How brokers are reached and trusted, in the words of each client: kafka-python, aiokafka, Faust."""

import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from schemas.errors import BrokerError, ConfigError
from stream.kafka_settings import KafkaSettings, TlsSettings

HINT = "is a broker running there, and do kafka.brokers, kafka.tls and kafka.sasl fit it?"


def client_options(settings: KafkaSettings) -> dict[str, Any]:
    """Keyword arguments of kafka-python's clients.

    Raises ConfigError when a certificate or key cannot be read.

    >>> client_options(KafkaSettings(brokers=("one:9092", "two:9092")))
    {'bootstrap_servers': ['one:9092', 'two:9092'], 'security_protocol': 'PLAINTEXT'}
    """
    return {"bootstrap_servers": list(settings.brokers), **trust_options(settings)}


def async_options(settings: KafkaSettings) -> dict[str, Any]:
    """Keyword arguments of aiokafka's clients, which are those of kafka-python's. Raises ConfigError."""
    return client_options(settings)


def trust_options(settings: KafkaSettings) -> dict[str, Any]:
    """The same without the addresses of brokers. Raises ConfigError."""
    encrypted, asked = settings.tls is not None, settings.sasl is not None
    security = ("SASL_" if asked else "") + ("SSL" if encrypted else "PLAINTEXT")
    options: dict[str, Any] = {"security_protocol": security}
    if settings.tls is not None:
        options["ssl_context"] = ssl_context(settings.tls)
    if settings.sasl is not None:
        options["sasl_mechanism"] = settings.sasl.mechanism
        options["sasl_plain_username"] = settings.sasl.user
        options["sasl_plain_password"] = settings.sasl.password.get_secret_value()
    return options


def broker_credentials(settings: KafkaSettings) -> Any:
    """Faust's `broker_credentials`: SASL, over TLS where that is set; TLS alone; or None.

    Raises ConfigError when a certificate or key cannot be read.
    """
    import faust  # takes a second, and only workers need it

    context = None if settings.tls is None else ssl_context(settings.tls)
    if settings.sasl is not None:
        return faust.SASLCredentials(
            username=settings.sasl.user,
            password=settings.sasl.password.get_secret_value(),
            mechanism=settings.sasl.mechanism,
            ssl_context=context,  # SASL_SSL where there is one, otherwise SASL_PLAINTEXT
        )
    return None if context is None else faust.SSLCredentials(context)


@contextmanager
def admin_client(settings: KafkaSettings, timeout_ms: int = 10_000) -> Iterator[KafkaAdminClient]:
    """kafka-python's admin client, closed at the end. Raises BrokerError when no broker answers in time."""
    try:
        client = KafkaAdminClient(**client_options(settings), bootstrap_timeout_ms=timeout_ms)
    except (KafkaError, OSError) as error:
        raise BrokerError(f"{', '.join(settings.brokers)}: {error}; {HINT}") from error
    with closing(client):
        yield client


def ssl_context(tls: TlsSettings) -> ssl.SSLContext:
    """What brokers must show, and what is shown to them; a certificate is checked in any case.

    Raises ConfigError when a file cannot be read, or holds something else.
    """
    try:
        context = ssl.create_default_context(cafile=tls.ca)
        if tls.certificate is not None:
            context.load_cert_chain(tls.certificate, tls.key, password="")  # asks nobody for one
    except OSError as error:  # ssl.SSLError is one as well
        files = ", ".join(str(file) for file in (tls.ca, tls.certificate, tls.key) if file)
        raise ConfigError(f"kafka.tls: {files}: {error}") from error
    context.check_hostname = tls.verify_host
    return context
