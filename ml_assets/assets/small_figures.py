"""Figures that Dagster shows in place: Markdown of fewer than 1,000 characters; longer Markdown is behind a button."""

import base64
from collections.abc import Sequence
from typing import TypeAlias

import dagster as dg

from assay.reporting.model_report import HoldoutDrawings

LONGEST = 1_000
_POINTS, _CURVES = 20, 3
_SIDE = 100
_FRAME = f"M0 0H{_SIDE}V{_SIDE}H0ZM0 {_SIDE} {_SIDE} 0"
_STROKE = "fill='none' stroke='{}' stroke-width='{}'"
Curve: TypeAlias = Sequence[tuple[float, float]]


def small_figures(drawings: HoldoutDrawings) -> dict[str, dg.MarkdownMetadataValue]:
    """Return small drawings of the holdout: ROC curve and calibration, or actual by predicted values."""
    return {f"figure/{name}": _figure(name, curves) for name, curves in _curves(drawings).items() if any(curves)}


def _curves(drawings: HoldoutDrawings) -> dict[str, list[Curve]]:
    """Return the points of each figure, in the unit square."""
    roc: list[Curve] = [list(zip(each.x, each.y, strict=True)) for each in drawings.roc[:_CURVES]]
    calibration = [(each.stated, each.observed) for each in drawings.calibration]
    return {
        "ROC (true by false positive rate)": roc,
        "calibration (observed by stated probability)": [calibration],
        "actual by predicted value": [_in_unit_square([(each.predicted, each.actual) for each in drawings.residuals])],
    }


def _in_unit_square(points: Curve) -> Curve:
    """Return points on one scale for both axes, so that equal values lie on the diagonal."""
    values = [value for point in points for value in point]
    low, width = (min(values), max(values) - min(values)) if values else (0.0, 0.0)
    return [((x - low) / width, (y - low) / width) for x, y in points] if width else []


def _figure(name: str, curves: Sequence[Curve]) -> dg.MarkdownMetadataValue:
    lines = "".join(f"M{' '.join(map(_shown, _thinned(each)))}" for each in curves if each)
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='-2 -2 104 104' width='220'>"
        f"<path d='{_FRAME}' {_STROKE.format('#999', '.5')}/><path d='{lines}' {_STROKE.format('#56d', '1.5')}/></svg>"
    )
    return dg.MetadataValue.md(f"![{name}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})")


def _thinned(curve: Curve) -> Curve:
    """Return up to 20 points of a curve, the first and the last among them."""
    if len(curve) <= _POINTS:
        return curve
    last = len(curve) - 1
    return [curve[round(number * last / (_POINTS - 1))] for number in range(_POINTS)]


def _shown(point: tuple[float, float]) -> str:
    """Return a point of the unit square as SVG has it: whole numbers, downwards."""
    return f"{round(_SIDE * point[0])} {round(_SIDE * (1 - point[1]))}"
