"""The drift of one window as a page: histograms of each watched column beside the champion's, and earlier windows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from assay.data.schema import TableSchema
from assay.gate.profile_page.columns import number, percent, readable
from assay.html_pages import rendered
from assay.monitoring.advice import compared_rows, drift_advice, drift_sentence, drift_table
from assay.monitoring.drift import Compared, DriftReport
from assay.reporting.histograms import ComparedHistogram, histograms_of
from assay.reporting.page import Verdict, significant
from assay.reporting.series import SeriesChart, series_chart
from assay.reporting.svg import Axes
from assay.specs.base import Spec
from assay.specs.pipeline import PipelineSpec

SHOWN_WINDOWS = 24
TOP_FEATURES = 5
_MOST_DRAWN = 60
_ENDS = (0.0, 1.0)
_LEAST_AXIS = 0.2


class WindowDrift(Spec):
    """What an earlier window, or this one, says in the series."""

    partition: str
    champion_version: str
    share_drifted: float | None = None
    """Missing where nothing was compared."""
    alarm: bool = False
    effects: dict[str, float] = {}

    @classmethod
    def of(cls, report: DriftReport) -> "WindowDrift":
        """Return a report's part of the series."""
        return cls(
            partition=report.partition,
            champion_version=report.champion_version,
            share_drifted=report.share_drifted,
            alarm=report.alarm,
            effects={each.name: each.effect for each in report.features},
        )


class DriftDrawings(Spec):
    """Everything that the page of a window says; counts and shares, no row."""

    format_version: Literal[1] = 1
    report: DriftReport
    histograms: tuple[ComparedHistogram, ...] = ()
    windows: tuple[WindowDrift, ...] = ()
    """Oldest first, this one last."""


def drift_drawings(
    report: DriftReport,
    compared: Sequence[Compared],
    earlier: Sequence[DriftReport],
    features: TableSchema,
    spec: PipelineSpec,
) -> DriftDrawings:
    """Return what the page of a window shows.

    Args:
        report: of the window.
        compared: its samples.
        earlier: reports of the windows before it, oldest first.
        features: of the champion; values of those with personal data are not shown.
        spec: the pipeline.
    """
    hidden = [each.name for each in compared if not spec.validation.show_values and each.kind != "prediction"]
    hidden += [column.name for column in features.columns if column.pii]
    return DriftDrawings(
        report=report,
        histograms=tuple(histograms_of(compared, hidden)),
        windows=tuple(WindowDrift.of(each) for each in (*earlier[-SHOWN_WINDOWS + 1 :], report)),
    )


def drift_verdict(report: DriftReport) -> Verdict:
    """Return what the page says first."""
    sentence = f"{drift_sentence(report)}."
    if report.status == "trained_on":
        return Verdict("passed", "Not compared", sentence)
    if report.alarm:
        return Verdict("rejected", "Drift alarm", sentence)
    return Verdict("warned", "Some drift", sentence) if report.drifted else Verdict("passed", "No drift", sentence)


def to_html(drawings: DriftDrawings) -> str:
    """Return the page; the same values give the same text."""
    report = drawings.report
    order = {each.name: place for place, each in enumerate(sorted(report.features, key=lambda each: not each.drifted))}
    ranked = sorted(drawings.histograms, key=lambda each: order.get(each.name, len(order)))
    return rendered(
        "assay.reporting",
        "drift.html.j2",
        _FUNCTIONS,
        report=report,
        verdict=drift_verdict(report),
        advice=drift_advice(report),
        rows=compared_rows(report),
        table=drift_table(report),
        drifted=set(report.drifted),
        charts=[chart for chart in drift_charts(drawings.windows) if chart is not None],
        histograms=ranked[:_MOST_DRAWN],
        left_out=len(ranked[_MOST_DRAWN:]),
    )


def drift_charts(windows: Sequence[WindowDrift]) -> list[SeriesChart | None]:
    """Return share of drifted columns, and the effect of those that changed most at last, over windows."""
    names = [each.partition or f"window {place}" for place, each in enumerate(windows, start=1)]
    newest = next((each.effects for each in reversed(windows) if each.effects), {})
    top = sorted(newest, key=lambda name: -newest[name])[:TOP_FEATURES]
    marked = [each.alarm for each in windows]
    largest = max((each.effects.get(name, 0.0) for each in windows for name in top), default=0.0)
    return [
        series_chart(
            "Share drifted",
            "Share of the watched columns that drifted in each window",
            names,
            {"share drifted": [each.share_drifted for each in windows]},
            marked=marked,
            ends=_ENDS,
        ),
        series_chart(
            "Largest effects",
            "Distance of the distribution from the champion's rows, of the columns that differ most at last",
            names,
            {name: [each.effects.get(name) for each in windows] for name in top},
            marked=marked,
            ends=(0.0, max(_LEAST_AXIS, 1.06 * largest)),
        ),
    ]


def histogram_axes(histogram: ComparedHistogram) -> Axes:
    """Return axes that hold both histograms."""
    most = max((*histogram.before, *histogram.now, 0.01))
    low, high = (histogram.edges[0], histogram.edges[-1]) if histogram.edges else (0.0, float(len(histogram.before)))
    return Axes(low, high, 0.0, most * 1.06)


def outline(histogram: ComparedHistogram, shares: Sequence[float], axes: Axes) -> str:
    """Return the outline of a histogram of numbers as an SVG path."""
    edges = histogram.edges or [float(place) for place in range(len(shares) + 1)]
    x = [edges[0], *(edge for edge in edges for _ in (0, 1))][1:]
    y = [0.0, *(share for share in shares for _ in (0, 1)), 0.0]
    return axes.path(x, y)


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "readable": readable,
    "number": number,
    "percent": percent,
    "significant": significant,
    "histogram_axes": histogram_axes,
    "outline": outline,
}
