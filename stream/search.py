"""The sink of reports in OpenSearch, as it is set."""

from schemas.errors import ConfigError
from sinks.cluster import TIMEOUT, Access, Ask, reach
from sinks.search_reports import SearchReports
from stream.search_settings import SearchSettings


def search_sink(settings: SearchSettings) -> SearchReports:
    """Raises ConfigError."""
    if settings.service == "aoss":
        raise ConfigError("opensearch.service: reports cannot be kept in OpenSearch Serverless")
    return SearchReports(
        cluster(settings), settings.prefix, shards=settings.shards, replicas=settings.replicas
    )


def cluster(settings: SearchSettings, timeout: float = TIMEOUT) -> Ask:
    """A way to make requests to the cluster that is set. Raises ConfigError."""
    access = Access(
        user=settings.user or "",
        password=settings.password.get_secret_value() if settings.password else "",
        region=settings.region or "",
        service=settings.service,
        verify=settings.verify,
        ca=str(settings.ca) if settings.ca else None,
    )
    return reach(settings.url, access, timeout)
