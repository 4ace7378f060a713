"""Figures that fit the rows of metadata in Dagster's interface."""

import base64

import numpy as np
import pytest

from assay.reporting.model_report import CalibrationBin, DrawnCurve, HoldoutDrawings, ResidualBin
from ml_assets.assets.small_figures import LONGEST, small_figures


def curve(points):
    x = np.linspace(0, 1, points)
    return DrawnCurve(name="yes", measured="0.7", x=tuple(x), y=tuple(np.sqrt(x)), chance=0.5)


def svg_of(figure):
    return base64.b64decode(figure.value.partition("base64,")[2].rstrip(")")).decode()


def test_a_classifier_has_its_roc_curve_and_calibration_from_corner_to_corner():
    bins = [CalibrationBin(stated=p, observed=p / 2, low=0, high=1, rows=9) for p in (0.2, 0.8)]
    figures = small_figures(HoldoutDrawings(roc=(curve(500),), calibration=tuple(bins)))
    roc, calibration = figures.values()
    assert next(iter(figures)).startswith("figure/ROC")
    assert "M0 100 " in svg_of(roc)
    assert " 100 0'" in svg_of(roc)
    assert "M20 90 80 60" in svg_of(calibration)


def test_a_regression_has_actual_by_predicted_values_on_one_scale():
    bins = [ResidualBin(predicted=p, actual=a, low=0, middle=0, high=0, rows=9) for p, a in ((10, 20), (30, 10))]
    (figure,) = small_figures(HoldoutDrawings(residuals=tuple(bins))).values()
    assert "M0 50 100 100" in svg_of(figure)


@pytest.mark.parametrize("points", [2, 21, 5_000])
def test_figures_are_short_enough_to_be_shown_in_place(points):
    (figure,) = small_figures(HoldoutDrawings(roc=(curve(points),) * 9)).values()
    assert len(figure.value) < LONGEST


def test_what_cannot_be_drawn_has_no_figure():
    same = ResidualBin(predicted=3, actual=3, low=0, middle=0, high=0, rows=9)
    assert small_figures(HoldoutDrawings()) == {}
    assert small_figures(HoldoutDrawings(residuals=(same,))) == {}
