"""Plots inside the UI.

Does not belong here: drawing.
"""

import base64

import dagster as dg


def image(png: bytes, title: str) -> dg.MarkdownMetadataValue:
    """Return a PNG as markdown that the UI renders in place."""
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{base64.b64encode(png).decode()})")


def images(plots: dict[str, bytes]) -> dict[str, dg.MarkdownMetadataValue]:
    """Return one metadata entry for each plot, named `plot/<name>`."""
    return {f"plot/{name}": image(png, name) for name, png in plots.items()}
