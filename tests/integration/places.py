"""Where tests may put objects."""

from dataclasses import dataclass

import boto3

from servers.kinds import CREDENTIAL, IDENTITY


@dataclass(frozen=True, slots=True)
class S3Place:
    """A bucket of its own, and who may use it."""

    url: str
    bucket: str
    access_key: str = IDENTITY
    secret_key: str = CREDENTIAL
    region: str = "us-east-1"

    @property
    def place(self) -> str:
        """As settings have it."""
        return f"s3://{self.bucket}"

    @property
    def environment(self) -> dict[str, str]:
        """For a program that takes credentials from where boto3 always finds them."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": self.region,
        }

    def client(self):
        """A boto3 client of it."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=self.region,
        )
