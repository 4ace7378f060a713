"""`promotion.on_regression`: the next labelled month shows the new champion worse than the one before."""

import pytest
from small_platform import failure

from assay.monitoring.regression import RegressionReport
from ml_assets.assets import champion_model
from ml_assets.notifications.sensor import notifications_of
from ml_assets.pipeline.asset import Phase
from ml_assets.stages import names_in

LEARNING = tuple(f"monthly/{name}" for name in names_in(Phase.LEARNING))


@pytest.fixture
def regressed(gated_months, monkeypatch):
    """Return a function that promotes a good model of February and then a poor one, under a rule."""
    decide = champion_model.decide
    monkeypatch.setattr(
        champion_model, "decide", lambda *given: decide(*given).model_copy(update={"verdict": "promoted"})
    )
    path = gated_months.settings.pipelines_dir / "monthly.yaml"

    def promote(rule):
        more = f"promotion: {{on_regression: {rule}}}\nevaluation: {{must_beat_baseline: false}}\n"
        path.write_text(path.read_text() + more)
        for parameters in (None, {"hyperparameters": {"alpha": 1e6}}):
            result = gated_months.materialize(*LEARNING, partition="2021-02", parameters=parameters)
            assert result.success, failure(result)
        assert champion(gated_months) == "2"
        return gated_months

    return promote


def champion(platform):
    return platform.resources["model_registry"].champion("monthly").version


def report_of(platform, month):
    result = platform.materialize("monthly/regression_report", partition=month)
    assert result.success, failure(result)
    found = notifications_of(platform.instance, result.run_id, failed=False, ui_url="http://ui")
    (check,) = result.get_asset_check_evaluations()
    report = platform.artifacts.load(("monthly", "regression_report"), month, RegressionReport)
    return report, check, [(str(each.kind), each.title, each.lines) for each in found]


def test_a_regression_rolls_back_and_the_model_does_not_come_back(regressed):
    platform = regressed("rollback")
    report, check, [(kind, title, _)] = report_of(platform, "2021-03")
    assert (report.champion_version, report.former_version, report.regressed) == ("2", "1", True)
    assert not check.passed
    assert (kind, title) == ("rollback", "monthly 2021-03: rolled back to version 1")
    entry = platform.resources["model_registry"].champion("monthly")
    assert (entry.version, entry.event, entry.by) == ("1", "rolled_back", "regression_report")
    assert entry.reason.startswith("regression on 2021-03")
    again = platform.materialize(
        "monthly/champion_model", partition="2021-02", parameters={"hyperparameters": {"alpha": 1e6}}
    )
    assert again.success, failure(again)
    assert champion(platform) == "1"
    report, check, notifications = report_of(platform, "2021-03")
    assert (check.passed, notifications) == (True, [])
    assert "not compared" in report.reason


def test_a_proposal_changes_nothing(regressed):
    platform = regressed("propose")
    _, check, [(kind, title, lines)] = report_of(platform, "2021-03")
    assert (kind, title) == ("approval", "monthly 2021-03: version 2 is worse than version 1 before it")
    assert "assay rollback monthly --to 1" in lines
    assert "assay rollback monthly --to 1" in check.description
    assert champion(platform) == "2"


@pytest.mark.full
def test_rows_that_one_of_the_two_learned_from_are_not_compared(regressed):
    platform = regressed("rollback")
    report, check, notifications = report_of(platform, "2021-01")
    assert (report.regressed, check.passed, notifications) == (False, True, [])
    assert report.reason == "not compared: only 0 rows new to both, fewer than promotion.min_rows"
