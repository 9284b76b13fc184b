"""What settings are made of."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of settings: a key that it does not have is a mistake, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)
