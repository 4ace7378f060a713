"""A champion that is worse than the one before it, on rows that both can predict."""

from dataclasses import replace

import pytest

from assay.learning.evaluation.bootstrap import Units
from assay.learning.splitting import LabelledRows
from assay.learning.training import train
from assay.monitoring.regression import RegressionReport, evaluate_regression


@pytest.fixture
def compared(make_spec, make_split, make_best):
    """Return a function that compares champion and former champion, each good or trained on mixed labels."""
    split, spec = make_split("regression"), make_spec("regression")
    mixed = replace(split.train, target=split.train.target.sample(frac=1, random_state=0).reset_index(drop=True))
    models = {
        "good": train(split, make_best("ridge"), spec),
        "poor": train(replace(split, train=mixed), make_best("ridge"), spec),
    }
    rows = LabelledRows(split.holdout.features, split.holdout.target)

    def compare(champion, former, earlier=()):
        pair = (("2", models[champion]), ("1", models[former]))
        return evaluate_regression(*pair, (rows, rows), Units(), earlier, spec, partition="2021-04")

    return compare


def test_a_worse_champion_has_regressed(compared):
    report = compared("poor", "good")
    assert (report.regressed, report.regression_start, report.share_worse) == (True, True, 1.0)
    assert (report.champion_version, report.former_version, report.partition) == ("2", "1", "2021-04")
    assert "of version 1 before it" in report.reason


@pytest.mark.parametrize("pair", [("good", "poor"), ("good", "good")])
def test_a_champion_that_is_no_worse_has_not(compared, pair):
    assert not compared(*pair).regressed


def test_a_regression_starts_once_for_each_champion(compared):
    def earlier(version):
        return RegressionReport(pipeline="p", partition="2021-03", champion_version=version, regressed=True)

    assert not compared("poor", "good", [earlier("2")]).regression_start
    assert compared("poor", "good", [earlier("1")]).regression_start
