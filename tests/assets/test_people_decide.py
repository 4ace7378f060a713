"""People and promotion, on a platform: a roll-back lasts, a version waits for approval, and jobs decide."""

import pytest
from small_platform import failure

from assay.promotion.champion import ChampionRecord
from assay.results.evaluation_report import EvaluationReport
from assay.shell.main import main
from assay.specs.base import digest_of
from ml_assets.assets import champion_model
from ml_assets.notifications.sensor import notifications_of
from ml_assets.pipeline.automation import champion_changes_key
from resources.mlflow.connection import connect

FAST = {"tuning": {"enabled": False}}
LEARNING = [f"bank/{name}" for name in ("best_hyperparameters", "trained_model", "evaluation_report", "champion_model")]
REQUIRED = "promotion: {approval: required}\n"


@pytest.fixture
def every_model_is_better(monkeypatch):
    decide = champion_model.decide
    monkeypatch.setattr(
        champion_model, "decide", lambda *given: decide(*given).model_copy(update={"verdict": "promoted"})
    )


def registry(platform):
    return platform.resources["model_registry"]


def champion(platform):
    found = registry(platform).champion("bank")
    return found.version if found else None


def train_another(platform, strength=0.01):
    result = platform.materialize(*LEARNING, parameters=FAST | {"hyperparameters": {"C": strength}})
    assert result.success, failure(result)
    return result


def record(platform):
    return platform.artifacts.load(("bank", "champion_model"), None, ChampionRecord)


def run_job(platform, name, **config):
    (op,) = {"champion_rollback_job": ["roll_back_champion"], "champion_approval_job": ["decide_on_version"]}[name]
    return platform.definitions.resolve_job_def(name).execute_in_process(
        instance=platform.instance,
        run_config={"ops": {op: {"config": {"pipeline": "bank", **config}}}},
        tags={"user": "anna"},
        raise_on_error=False,
    )


def titles(platform, result):
    found = notifications_of(platform.instance, result.run_id, failed=False, ui_url="http://ui")
    return [(str(each.kind), each.title, each.lines) for each in found]


def check_of_champion(result):
    (check,) = [each for each in result.get_asset_check_evaluations() if each.check_name == "better_model_is_champion"]
    return check


@pytest.mark.full
def test_a_model_that_was_rolled_back_does_not_come_back(promoted, every_model_is_better):
    train_another(promoted)
    assert champion(promoted) == "2"
    assert run_job(promoted, "champion_rollback_job", reason="complaints").success
    again = promoted.materialize("bank/champion_model", parameters=FAST)
    assert again.success, failure(again)
    assert champion(promoted) == "1"
    assert record(promoted).decision.verdict == "kept_champion"
    assert "rolled back" in check_of_champion(again).description
    assert run_job(promoted, "champion_rollback_job", version="2").success
    assert champion(promoted) == "2"


@pytest.mark.full
def test_two_roll_backs_go_further_back(promoted, every_model_is_better):
    train_another(promoted)
    train_another(promoted, 0.02)
    assert run_job(promoted, "champion_rollback_job").output_for_node("roll_back_champion") == "2"
    assert run_job(promoted, "champion_rollback_job").output_for_node("roll_back_champion") == "1"
    assert "nothing to roll back to" in failure(run_job(promoted, "champion_rollback_job"))


def test_a_version_waits_where_approval_is_required_and_the_check_and_the_notification_name_the_command(
    promoted, every_model_is_better
):
    path = promoted.settings.pipelines_dir / "bank.yaml"
    path.write_text(path.read_text() + REQUIRED)
    result = train_another(promoted)
    assert (champion(promoted), record(promoted).proposed_version) == ("1", "2")
    check = check_of_champion(result)
    assert not check.passed
    assert "assay approve bank 2" in check.description
    [(kind, title, lines)] = titles(promoted, result)
    assert (kind, title) == ("approval", "bank: version 2 waits for approval")
    assert {"assay approve bank 2", "assay reject bank 2"} <= set(lines)

    approved = run_job(promoted, "champion_approval_job", version="2", decision="approve", reason="seen")
    assert approved.output_for_node("decide_on_version") == "2"
    assert champion(promoted) == "2"
    assert registry(promoted).journal("bank").history().entries[-1].by == "anna"
    [(kind, title, lines)] = titles(promoted, approved)
    assert (kind, title) == ("promotion", "bank: version 2 was approved and is the champion now")
    assert "reason: seen" in lines
    alias = connect(promoted.settings.tracking_uri).get_model_version_by_alias("bank", "champion")
    assert str(alias.version) == "2"


def test_a_rejected_model_is_not_proposed_again(promoted, every_model_is_better):
    path = promoted.settings.pipelines_dir / "bank.yaml"
    path.write_text(path.read_text() + REQUIRED)
    train_another(promoted)
    rejected = run_job(promoted, "champion_approval_job", version="2", decision="reject", reason="unfair")
    assert rejected.output_for_node("decide_on_version") == "1"
    again = promoted.materialize("bank/champion_model", parameters=FAST)
    assert again.success, failure(again)
    assert record(promoted).proposed_version is None
    assert "was rejected" in check_of_champion(again).description
    assert titles(promoted, again) == []
    assert "does not wait" in failure(run_job(promoted, "champion_approval_job", version="2", decision="approve"))


@pytest.mark.full
def test_the_journal_says_who_why_against_whom_and_on_which_evidence(promoted, every_model_is_better):
    result = train_another(promoted)
    rolled = run_job(promoted, "champion_rollback_job", reason="complaints")
    first, second, third = registry(promoted).journal("bank").history().entries
    assert (second.event, second.run_id, second.against, second.replaced) == ("promoted", result.run_id, 1, "1")
    report = promoted.artifacts.load(("bank", "evaluation_report"), None, EvaluationReport)
    assert second.evidence == digest_of(report, record(promoted).decision)
    assert second.evidence != first.evidence
    assert (third.event, third.reason, third.run_id) == ("rolled_back", "complaints", rolled.run_id)
    assert third.by == "anna"
    assert third.taken_back == ("2",)


def test_maintenance_repairs_aliases(promoted):
    client = connect(promoted.settings.tracking_uri)
    client.delete_registered_model_alias("bank", "champion")
    job = promoted.definitions.resolve_job_def("artifact_janitor_job")
    done = job.execute_in_process(instance=promoted.instance)
    assert done.output_for_node("repair_aliases") == 1
    assert str(client.get_model_version_by_alias("bank", "champion").version) == "1"


@pytest.mark.parametrize("value", ["never", "true"])
def test_other_words_for_approval_are_refused_when_the_file_is_loaded(promoted, value):
    path = promoted.settings.pipelines_dir / "bank.yaml"
    path.write_text(path.read_text() + REQUIRED.replace("required", value))
    assert "broken_pipeline" in {key.path[-1] for key in promoted.definitions.resolve_all_asset_keys()}


@pytest.fixture
def shell(promoted, monkeypatch, capfd):
    """Return a function that runs a command of the shell on the platform: exit code, standard output and error."""
    monkeypatch.setenv("ASSAY_HOME", str(promoted.settings.home))
    monkeypatch.setenv("ASSAY_PIPELINES_DIR", str(promoted.settings.pipelines_dir))

    def run(*arguments):
        capfd.readouterr()
        code = main(arguments)
        printed = capfd.readouterr()
        return code, printed.out, printed.err

    return run


def test_the_shell_shows_and_changes_the_champion_on_the_deployments_stores(promoted, every_model_is_better, shell):
    path = promoted.settings.pipelines_dir / "bank.yaml"
    path.write_text(path.read_text() + REQUIRED + "scoring: {}\n")
    train_another(promoted)
    code, out, err = shell("champion", "bank")
    assert (code, out) == (0, "models:/bank/1\n")
    assert "assay approve bank 2" in err

    code, out, err = shell("approve", "bank", "2", "--reason", "seen")
    assert (code, out) == (0, "models:/bank/2\n")
    entry = registry(promoted).champion("bank")
    assert (entry.version, entry.event, entry.reason, entry.run_id) == ("2", "approved", "seen", "")
    assert "@" in entry.by
    page = promoted.instance.get_latest_materialization_event(champion_changes_key("bank"))
    assert page is not None

    assert shell("rollback", "bank", "--reason", "complaints")[:2] == (0, "models:/bank/1\n")
    assert champion(promoted) == "1"
    assert shell("rollback", "bank", "--to", "2")[:2] == (0, "models:/bank/2\n")
    code, out, err = shell("champion", "bank")
    assert out == "models:/bank/2\n"
    assert sum("rolled back" in line for line in err.splitlines()) == 2
    assert "complaints" in err


def test_the_shell_knows_who_was_champion_at_a_date(shell):
    assert shell("champion", "bank", "--at", "2020-01-01")[:2] == (0, "")
    assert shell("champion", "bank", "--at", "2999-12-31")[:2] == (0, "models:/bank/1\n")


def test_the_shell_refuses_what_it_cannot_do(shell):
    for arguments, words in [
        (("champion", "banc"), "did you mean 'bank'?"),
        (("champion", "bank", "--at", "soon"), "this is no date"),
        (("approve", "bank", "1"), "does not wait"),
        (("reject", "bank", "9"), "never proposed"),
        (("rollback", "bank"), "nothing to roll back to"),
    ]:
        code, out, err = shell(*arguments)
        assert (code, out) == (2, ""), arguments
        assert words in err


def test_what_needs_a_champion_names_the_version_that_waits(promoted):
    path = promoted.settings.pipelines_dir / "bank.yaml"
    path.write_text(path.read_text() + REQUIRED + "scoring: {}\n")
    assert run_job(promoted, "champion_rollback_job", withdraw=True).success
    train_another(promoted)
    refused = failure(promoted.materialize("bank/batch_predictions"))
    assert "there is no champion" in refused
    assert "assay approve bank 2" in refused
