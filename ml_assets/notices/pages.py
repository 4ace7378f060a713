"""Addresses of pages of Dagster's user interface.

Does not belong here: where the user interface is (`resources.settings`).
"""

from urllib.parse import quote

import dagster as dg


def run_page(ui_url: str, run_id: str) -> str:
    """Return the address of a run's page."""
    return f"{ui_url}/runs/{quote(run_id)}"


def asset_page(ui_url: str, key: dg.AssetKey) -> str:
    """Return the address of an asset's page."""
    return f"{ui_url}/assets/{'/'.join(quote(part, safe='') for part in key.path)}"
