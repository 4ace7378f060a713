"""The settings of tools beside the platform, each off by default; `Settings` has them, and reads the environment."""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator


class IntegrationSettings(BaseModel):
    """A tool is switched on by the first of its settings."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    openlineage_url: str = Field(default="", pattern=r"^(https?://[^@\s]+|[^:\s][^:]*)?$")
    """Where OpenLineage events of steps go: the address of a receiver such as Marquez, `http://marquez:5000`, or a file
    to which they are appended; nowhere unless set."""
    openlineage_key: SecretStr = SecretStr("")
    """Key that the receiver of OpenLineage events asks for, sent as a bearer token."""
    otlp_url: str = Field(default="", pattern=r"^(https?://[^@\s]+)?$")
    """Where OpenTelemetry traces of runs go: a collector's address for OTLP over HTTP, `http://collector:4318`; nowhere
    unless set."""
    otlp_headers: SecretStr = SecretStr("")
    """Headers that the collector asks for, `name=value` with commas between."""
    wandb: Literal["off", "offline", "online"] = "off"
    """Whether MLflow's runs are mirrored to Weights & Biases: `offline` writes the files of `wandb sync` to
    `<home>/wandb`; `online` sends them, with the key of wandb's own variables."""

    @field_validator("otlp_headers")
    @classmethod
    def _headers_have_names(cls, headers: SecretStr) -> SecretStr:
        if not all(re.fullmatch(r"[\w-]+=.+", each) for each in _listed(headers)):
            raise ValueError("should be name=value, with commas between")
        return headers

    @property
    def headers_of_otlp(self) -> dict[str, str]:
        """Headers for the collector by name."""
        return dict(each.split("=", 1) for each in _listed(self.otlp_headers))


def _listed(text: SecretStr) -> list[str]:
    return [each.strip() for each in text.get_secret_value().split(",") if each.strip()]
