"""The settings of tools beside the platform, each off by default; `Settings` has them, and reads the environment."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class IntegrationSettings(BaseModel):
    """A tool is switched on by the first of its settings."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    openlineage_url: str = Field(default="", pattern=r"^(https?://[^@\s]+|[^:\s][^:]*)?$")
    """Where OpenLineage events of steps go: the address of a receiver such as Marquez, `http://marquez:5000`, or a file
    to which they are appended; nowhere unless set."""
    openlineage_key: SecretStr = SecretStr("")
    """Key that the receiver of OpenLineage events asks for, sent as a bearer token."""
