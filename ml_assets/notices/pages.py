"""Addresses of pages of Dagster's user interface.

Does not belong here: where the user interface is (`resources.settings`).
"""

from urllib.parse import quote, urlencode

import dagster as dg


def run_page(ui_url: str, run_id: str) -> str:
    """Return the address of a run's page."""
    return f"{ui_url}/runs/{quote(run_id)}"


def asset_page(ui_url: str, key: dg.AssetKey, partition: str | None = None) -> str:
    """Return the address of an asset's page, and there of one partition."""
    page = f"{ui_url}/assets/{'/'.join(quote(part, safe='') for part in key.path)}"
    return f"{page}?{urlencode({'view': 'partitions', 'partition': partition})}" if partition else page


def check_page(ui_url: str, check: dg.AssetCheckKey) -> str:
    """Return the address of a check's page."""
    return f"{asset_page(ui_url, check.asset_key)}?{urlencode({'view': 'checks', 'checkDetail': check.name})}"
