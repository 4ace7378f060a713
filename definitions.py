"""The code location, by `-f definitions.py` or through `workspace.yaml`."""

import dagster as dg

from ml_assets.code_location import build_definitions, deployment_definitions

__all__ = ["build_definitions", "defs"]


@dg.definitions
def defs() -> dg.Definitions:
    """Return the definitions of this deployment; Dagster calls it, importing this module does not."""
    return deployment_definitions()
