"""Settings of the OpenSearch cluster that alerts and metrics go to."""

from typing import Self

from pydantic import Field, SecretStr, model_validator

from stream.fields import File, Name, Section


class SearchSettings(Section):
    """A cluster, who asks it, and what indices are called."""

    url: str = Field(pattern=r"^https?://", description="URL of the cluster")
    prefix: str = Field(
        "streamgauge", pattern=r"^[a-z0-9][a-z0-9._-]{0,99}$", description="what names of indices begin with"
    )
    user: Name | None = None
    password: SecretStr | None = None
    region: Name | None = Field(None, description="sign requests with AWS credentials for this region")
    service: str = Field("es", description="es, or aoss for OpenSearch Serverless")
    ca: File | None = Field(None, description="file of certificates to trust")
    verify: bool = Field(True, description="whether the cluster's certificate is checked")
    shards: int = Field(1, ge=1, le=1_024, description="primary shards of an index")
    replicas: int = Field(0, ge=0, le=32, description="copies of each shard")

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password belong together")
        if self.user is not None and self.region is not None:
            raise ValueError("either user and password, or region, not both")
        return self
