"""What stands around the drawings: counts with their nouns, and shares that are not rounded to none or all."""

from types import SimpleNamespace as Thing

import numpy as np
import pytest

from assay.learning.evaluation import drawing, plots
from assay.learning.evaluation.drawing import Curve, Forecasts


class Labels:
    """Axes that keep what is written on them."""

    def __init__(self):
        self.written = []

    def __getattr__(self, name):
        def call(*args, label="", **style):
            self.written += [label] if label else [each for each in args if isinstance(each, str)]
            return self

        return call if name not in ("figure", "xaxis") else self


@pytest.fixture
def drawn(monkeypatch):
    """Return what the last drawing says: its title, its axes and its legend."""
    said = {}

    def draw(title, x_label, y_label, paint, **style):
        axes = Labels()
        paint(axes)
        said.update(title=title, x=x_label, y=y_label, legend=axes.written)
        return b""

    for module in (drawing, plots):
        monkeypatch.setattr(module, "draw", draw)
    return said


@pytest.mark.parametrize(("rows", "said"), [(1, "1 bin"), (2, "2 bins"), (7, "7 bins"), (1000, "10 bins")])
def test_calibration(drawn, rows, said):
    drawing.calibration_plot(Forecasts(np.linspace(0, 1, rows), np.arange(rows) % 2 == 0, "'yes'", "yes", "no"), "all")
    assert (drawn["title"], drawn["x"]) == (
        f"Calibration\nall; {said} of equally many rows",
        "Stated probability of 'yes'",
    )


@pytest.mark.parametrize(
    ("true", "said"),
    [(0, ["no (1,200 rows)"]), (1, ["no (1,199 rows)", "yes (1 row)"]), (2, ["no (1,198 rows)", "yes (2 rows)"])],
)
def test_the_rows_of_probabilities(drawn, true, said):
    stated = Forecasts(np.linspace(0, 1, 1200), np.arange(1200) < true, "'yes'", "yes", "no")
    drawing.score_distribution_plot(stated, "all")
    assert (drawn["title"], drawn["legend"]) == ("Distribution of stated probabilities\nall", said)


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0, "0%"),
        (1e-6, "<1%"),
        (0.0049, "<1%"),
        (0.005, "<1%"),
        (0.006, "1%"),
        (0.5, "50%"),
        (0.99, "99%"),
        (0.995, ">99%"),
        (1, "100%"),
    ],
)
def test_a_share_of_some_is_not_none_and_of_most_not_all(share, said):
    assert drawing._percent(share) == said


def test_a_confusion_matrix(drawn):
    true = np.repeat([0, 1], [1000, 400])
    predicted = true.copy()
    predicted[0] = 1
    drawing.confusion_plot(true, predicted, ["no", "yes"], "all")
    assert drawn["title"] == "Confusion matrix\nall; each with its share of the true class"
    assert [each for each in drawn["legend"] if "\n" in each] == [">99%\n999", "<1%\n1", "0%\n0", "100%\n400"]


@pytest.mark.parametrize(("positives", "share"), [(1, "0.001"), (500, "0.500")])
def test_curves(drawn, positives, share):
    curve = Curve("", np.arange(1000) < positives, -np.arange(1000.0))
    drawing.precision_recall_plot([curve], "all")
    assert drawn["title"] == "Precision-recall curve\nall"
    assert drawn["legend"] == ["average precision 1.000", f"flagging at random, {share}"]
    drawing.precision_recall_plot([curve._replace(name="a"), curve._replace(name="b")], "all")
    assert drawn["legend"][-1] == "dashed: flagging at random"


@pytest.mark.parametrize(("rows", "said"), [(40, ""), (5_001, "; 5,000 of them shown")])
def test_rows_that_are_shown(drawn, rows, said):
    true = np.arange(float(rows))
    drawing.predicted_vs_actual_plot(true, true, "rent", "all", 1)
    assert drawn["title"] == f"Predicted against actual\nall{said}"
    drawing.residuals_plot(true, true, "rent", "all", 1)
    assert (drawn["title"], drawn["y"]) == (f"Residuals\nall{said}", "Residual: predicted minus actual 'rent'")


@pytest.mark.parametrize(
    ("columns", "greater", "shown", "axis"),
    [
        (1, True, "all columns", "Drop in roc_auc when the column is shuffled"),
        (15, False, "all columns", "Rise of roc_auc when the column is shuffled"),
        (16, True, "the 15 of 16 columns that matter most", "Drop in roc_auc when the column is shuffled"),
    ],
)
def test_importance(drawn, columns, greater, shown, axis):
    losses = {f"c{number}": [0.1 * number, 0.2] for number in range(columns)}
    plots.importance_plot(losses, Thing(name="roc_auc", greater_is_better=greater), "all")
    assert drawn["title"] == f"Permutation importance\nall; {shown}; black: range over shuffles"
    assert drawn["x"] == axis


@pytest.mark.parametrize(("trials", "said"), [(0, "0 trials"), (1, "1 trial"), (2, "2 trials")])
def test_the_history_of_a_search(drawn, trials, said):
    ended, words = next(iter(plots.ENDED.items()))
    trial = Thing(family="ridge", value=0.5, number=1, state="complete")
    best = Thing(trials=(trial,) * trials, stopped_by=ended, seed=7, direction="minimize", metric="rmse")
    plots.tuning_history_plot(best)
    assert drawn["title"] == f"Tuning history\n{said}; {words}; seed 7"
    assert drawn["y"] == "rmse, mean over folds (less is better)"
