"""The page of a window's drift, from typed values."""

import json

import numpy as np
import pandas as pd
import pytest
from monitoring_world import pipeline, reference, rows, unlabelled, window

from assay.data.schema import TableSchema
from assay.monitoring.drift import compared_samples, evaluate_drift
from assay.reporting.drift_page import DriftDrawings, drift_drawings, drift_verdict, to_html
from assay.reporting.series import series_chart


def drawn(spec, champion, *windows):
    """The drawings of the last of some windows."""
    made = []
    for each in windows:
        compared = compared_samples(each, champion, spec)
        made.append(evaluate_drift(each, champion, made, spec, compared))
    return drift_drawings(made[-1], compared, made[:-1], champion.model.manifest.features, spec)


@pytest.fixture(scope="module")
def alarmed():
    draw, spec = np.random.default_rng(0), pipeline(monitoring={"drift": {}})
    champion = reference(spec, rows(draw, 500), rows(draw, 300))
    shifts = (0.0, 0.0, 0.9, 1.0, 1.1)
    return drawn(spec, champion, *(window(rows(draw, 400, shift=s), f"w{n}") for n, s in enumerate(shifts)))


def test_the_page_of_an_alarm_says_it_first_and_draws_every_watched_column(alarmed):
    page = to_html(alarmed)
    assert 'class="verdict rejected"' in page
    assert page.index("Drift alarm") < page.index("Over windows") < page.index("Histogram of x")
    assert {each.name for each in alarmed.histograms} == {"x", "y", "(predictions)"}
    for each in alarmed.histograms:
        assert sum(each.before) == pytest.approx(1)
        assert sum(each.now) == pytest.approx(1)
        assert len(each.before) == len(each.now) == (len(each.labels) or len(each.edges) - 1)


def test_the_series_holds_this_window_and_those_before_it(alarmed):
    assert [each.partition for each in alarmed.windows] == ["w0", "w1", "w2", "w3", "w4"]
    assert [each.share_drifted for each in alarmed.windows] == [0.0, 0.0, 1.0, 1.0, 1.0]
    assert [each.alarm for each in alarmed.windows] == [False, False, False, True, True]
    assert alarmed.windows[-1].effects["x"] == next(each.effect for each in alarmed.report.features if each.name == "x")
    assert to_html(alarmed).count('class="alarm"') == 2 * 2  # in both drawings


def test_the_page_of_a_window_is_self_contained_and_read_back_as_written(alarmed):
    page = to_html(alarmed)
    assert "<script" not in page
    assert "http://" not in page
    assert "url(" not in page
    again = DriftDrawings.model_validate_json(alarmed.model_dump_json())
    assert to_html(again) == page


def test_a_window_that_the_champion_was_trained_on_has_nothing_to_draw():
    draw, spec = np.random.default_rng(0), pipeline(monitoring={"drift": {}})
    labelled = rows(draw, 50)
    found = drawn(spec, reference(spec, labelled, labelled), window(labelled, "w", trained_on=True))
    assert found.histograms == ()
    assert drift_verdict(found.report).words == "Not compared"
    assert "Nothing was compared: 50, on which the champion was trained." in to_html(found)


def _of_values(before, now, *, pii=False, **parts):
    spec = pipeline(monitoring={"drift": {"watch_predictions": False, "watch_target": False}}, **parts)
    champion = reference(spec, unlabelled(pd.DataFrame(before)))
    columns = tuple(each.model_copy(update={"pii": pii}) for each in champion.model.manifest.features.columns)
    champion.model.manifest.features = TableSchema(version=1, columns=columns)
    return drawn(spec, champion, window(unlabelled(pd.DataFrame(now))))


def test_categories_are_counted_the_rare_ones_together():
    names = [f"c{number:02d}" for number in range(12)]
    before = [name for place, name in enumerate(names) for _ in range(12 - place)]
    (found,) = _of_values({"category": before}, {"category": ["c00"] * 30}).histograms
    assert found.labels == (*names[:10], "(other)")
    assert found.now[0] == 1
    assert found.before[-1] == pytest.approx(3 / len(before))


def test_each_bin_of_whole_numbers_holds_as_many_of_them():
    hours = np.repeat(np.arange(5.0, 24.0), 10)
    (found,) = _of_values({"x": hours}, {"x": hours}).histograms
    assert found.before[:19] == pytest.approx([1 / 19] * 19)
    (wide,) = _of_values({"x": np.arange(0.0, 400.0)}, {"x": np.arange(0.0, 400.0)}).histograms
    assert len(wide.before) <= 21
    assert set(np.diff(wide.edges)) == {20.0}
    assert sum(wide.before) == pytest.approx(1)


def test_infinite_numbers_and_columns_without_values_are_not_drawn():
    (found,) = _of_values({"x": [1.0, 2.5, np.inf]}, {"x": [1.0, -np.inf, np.nan]}).histograms
    assert sum(found.before) == sum(found.now) == pytest.approx(1)
    assert np.isfinite(found.edges).all()
    assert _of_values({"x": [1.0, 2.0]}, {"x": [np.inf, np.nan]}).histograms == ()
    assert _of_values({"category": ["a", None]}, {"category": [None, None]}).histograms == ()


@pytest.mark.parametrize("parts", [{"pii": True}, {"validation": {"show_values": False}}])
def test_values_that_are_not_shown_elsewhere_are_in_no_histogram(parts):
    before = {"category": ["swordfish", "b"] * 30, "x": np.linspace(12345, 12399, 60)}
    found = _of_values(before, before, **parts)
    stored = found.model_dump_json()
    assert "swordfish" not in stored + to_html(found)
    assert "123" not in json.dumps(json.loads(stored)["histograms"])
    assert {each.labels for each in found.histograms} == {("value 1", "value 2"), ()}


def test_names_and_values_are_escaped(alarmed):
    evil = "<script>alert(1)</script>"
    report = alarmed.report.model_copy(
        update={
            "partition": evil,
            "pipeline": evil,
            "features": tuple(each.model_copy(update={"name": evil}) for each in alarmed.report.features),
        }
    )
    histograms = tuple(
        each.model_copy(update={"name": evil, "labels": tuple(evil for _ in each.labels)})
        for each in alarmed.histograms
    )
    windows = tuple(each.model_copy(update={"partition": evil, "effects": {evil: 0.1}}) for each in alarmed.windows)
    page = to_html(alarmed.model_copy(update={"report": report, "histograms": histograms, "windows": windows}))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 10


def test_a_drawing_over_windows_leaves_out_those_without_a_value():
    chart = series_chart("t", "c", ["a", "b", "c", "d", "e"], {"one": [1.0, None, 3.0, None, None], "none": [None] * 5})
    assert [(line.name, line.x, line.y) for line in chart.lines] == [("one", (0.0, 2.0), (1.0, 3.0))]
    assert chart.labels == ((0.0, "a"), (2.0, "c"), (4.0, "e"))
    assert series_chart("t", "c", ["a"], {"none": [None]}) is None
    assert series_chart("t", "c", ["only"], {"one": [2.0]}).labels == ((0.0, "only"),)
