"""The picture of a comparison, from its first day on."""

from matplotlib.figure import Figure

from assay.live import plots
from assay.live.comparison import LiveComparison, Look


def test_the_interval_of_one_day_alone_is_drawn(monkeypatch):
    one = LiveComparison(
        experiment="1:2", champion_version="1", challenger_version="2", design="arms", unit="key", loss="brier",
        metric="roc_auc", metric_is_mean=False, confidence=0.95, champion_units=300, challenger_units=300,
        looks=(Look(day="2026-03-08", champion_rows=300, challenger_rows=300, gain=0.1, lower=0.05, upper=0.15),),
        verdict="challenger_better", decided_on="2026-03-08", reason="the challenger is better",
    )  # fmt: skip
    axes = Figure().subplots()
    monkeypatch.setattr(plots, "draw", lambda _title, _x, _y, paint: paint(axes))
    plots.comparison_plot(one)
    low, high = axes.get_xlim()
    assert high - low == 1
    band = axes.collections[0].get_paths()[0].get_extents()
    assert (band.width, round(band.y0, 9), round(band.y1, 9)) == (1, 0.05, 0.15)
    assert [each.get_text() for each in axes.get_xticklabels()] == ["2026-03-08"]
