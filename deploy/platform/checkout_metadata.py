"""Version and dependencies of the platform's wheel, from the checkout's own pyproject.toml, so that they stand once."""

import tomllib
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class CheckoutMetadata(MetadataHookInterface):
    """Hatchling calls it when it builds the wheel."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the version of `assay`, and as dependencies `assay` of that version and the group `platform`."""
        checkout = tomllib.loads((Path(self.root).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
        version = checkout["project"]["version"]
        metadata["version"] = version
        metadata["dependencies"] = [f"assay=={version}", *checkout["dependency-groups"]["platform"]]
