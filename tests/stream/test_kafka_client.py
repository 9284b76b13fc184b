"""The words in which each client is told how to reach brokers."""

import ssl
import warnings
from pathlib import Path

import botocore
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer

from schemas.errors import BrokerError, ConfigError
from stream.kafka_client import admin_client, async_options, broker_credentials, client_options
from stream.kafka_settings import KafkaSettings, SaslSettings, TlsSettings

CERTIFICATES = Path(botocore.__file__).parent / "cacert.pem"
SASL = SaslSettings(mechanism="SCRAM-SHA-512", user="ann", password="secret")
ALL = KafkaSettings(brokers=("a:1", "b:2"), tls=TlsSettings(ca=CERTIFICATES), sasl=SASL)


@pytest.fixture(scope="module")
def faust():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as it is imported
        import faust
    return faust


@pytest.mark.parametrize(
    ("settings", "protocol"),
    [
        (KafkaSettings(), "PLAINTEXT"),
        (KafkaSettings(tls=TlsSettings()), "SSL"),
        (KafkaSettings(sasl=SASL), "SASL_PLAINTEXT"),
        (ALL, "SASL_SSL"),
    ],
)
def test_the_protocol_follows_from_what_is_set(settings, protocol, faust):
    assert client_options(settings)["security_protocol"] == protocol
    assert async_options(settings)["security_protocol"] == protocol
    credentials = broker_credentials(settings)
    assert protocol == ("PLAINTEXT" if credentials is None else credentials.protocol.value)


def test_both_clients_know_every_option():
    import aiokafka

    known = set(KafkaProducer.DEFAULT_CONFIG) & set(KafkaConsumer.DEFAULT_CONFIG)
    assert set(client_options(ALL)) <= known & set(KafkaAdminClient.DEFAULT_CONFIG)
    assert set(async_options(ALL)) <= set(aiokafka.AIOKafkaProducer.__init__.__kwdefaults__)
    assert set(async_options(ALL)) <= set(aiokafka.AIOKafkaConsumer.__init__.__kwdefaults__)


def test_user_password_and_mechanism_are_handed_on(faust):
    options = client_options(ALL)
    assert options["bootstrap_servers"] == ["a:1", "b:2"]
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("ann", "secret")
    credentials = broker_credentials(ALL)
    assert isinstance(credentials, faust.SASLCredentials)
    assert (credentials.username, credentials.password) == ("ann", "secret")
    assert credentials.mechanism.value == "SCRAM-SHA-512"


def test_certificates_are_checked_also_where_names_are_not():
    strict = client_options(ALL)["ssl_context"]
    assert strict.check_hostname and strict.verify_mode is ssl.CERT_REQUIRED
    loose = client_options(KafkaSettings(tls=TlsSettings(verify_host=False)))["ssl_context"]
    assert not loose.check_hostname and loose.verify_mode is ssl.CERT_REQUIRED


def test_a_file_that_is_not_there_or_no_certificate_is_said(tmp_path):
    missing = TlsSettings(ca=tmp_path / "no.pem")
    with pytest.raises(ConfigError, match=r"kafka\.tls: .*no\.pem"):
        client_options(KafkaSettings(tls=missing))
    (tmp_path / "key").write_text("nothing")
    wrong = TlsSettings(certificate=CERTIFICATES, key=tmp_path / "key")
    with pytest.raises(ConfigError, match=r"kafka\.tls"):
        broker_credentials(KafkaSettings(tls=wrong))


def test_brokers_that_do_not_answer_are_said():
    settings = KafkaSettings(brokers=("127.0.0.1:1",))
    with pytest.raises(BrokerError, match=r"127\.0\.0\.1:1"), admin_client(settings, timeout_ms=50):
        pass
