"""The report of a model: stored beside its evaluation and its decision, and linked where people look."""

import dagster as dg
import pytest
from small_platform import failure

from assay.promotion.champion import ChampionChange
from assay.reporting.model_report import ModelReport
from assay.specs import PipelineSpec
from ml_assets.assets.champion_model import champion_change, champion_events
from resources.mlflow.connection import connect
from resources.report_site import REPORT_PAGE

REPORT = ("bank", "model_report")


def _metadata(platform, asset):
    event = platform.instance.get_latest_materialization_event(dg.AssetKey(["bank", asset]))
    return {name: entry.value for name, entry in event.asset_materialization.metadata.items()}


def test_reports_are_stored_with_evaluation_and_decision_and_linked(promoted):
    artifacts = promoted.artifacts
    evaluated, decided = artifacts.log.history(REPORT, None)
    assert [each.name for each in decided.objects] == ["value.json", REPORT_PAGE, "model_card.md"]
    report = artifacts.read(decided, ModelReport)
    assert report.version == "1"
    assert report.decision.verdict == "promoted"
    assert artifacts.read(evaluated, ModelReport).decision is None
    newest = artifacts.newest(("bank", "trained_model"), None)
    assert report.lineage.model_digest == newest.data_version
    sizes = {each.name: each.size for each in newest.objects}
    assert report.leaderboard[0].megabytes == pytest.approx(sizes["evaluated.skops"] / 1e6)
    assert [each.rows for each in report.data.periods] == [200]
    page = artifacts.store.get_bytes(decided.objects[1].key).decode()
    assert "<h1>bank version 1</h1>" in page
    run = promoted.instance.get_latest_materialization_event(dg.AssetKey(["bank", "champion_model"])).run_id
    assert f'href="http://localhost:3000/runs/{run}"' in page
    links = report.lineage.links
    run_page = (
        f"/experiments/{links['mlflow_experiment_id']}/runs/{links['mlflow_run_id']}?workflowType=machine_learning"
    )
    assert report.lineage.pages["MLflow run"].endswith(run_page)
    assert "MLflow run id" in page
    assert "mlflow_run_id" not in page + artifacts.store.get_bytes(decided.objects[2].key).decode()
    assert "/models/bank/versions/1" in report.lineage.pages["Registered version"]
    assert report.lineage.pages["Over time"] == "http://localhost:8090/bank/history"
    assert _metadata(promoted, "champion_model")["over time"] == "http://localhost:8090/bank/history"
    assert "swordfish" not in page  # a value of a column with personal data
    url = "http://localhost:8090/bank/model_report"
    assert _metadata(promoted, "evaluation_report")["report"] == f"{url}/1/{REPORT_PAGE}"
    assert _metadata(promoted, "champion_model")["report"] == f"{url}/2/{REPORT_PAGE}"


def test_mlflow_leads_to_the_report(promoted):
    client = connect(promoted.settings.tracking_uri)
    version = client.get_model_version("bank", "1")
    assert version.tags["assay.report"].endswith(f"/bank/model_report/2/{REPORT_PAGE}")
    run = client.get_run(version.run_id)
    assert run.data.tags["assay.report"].endswith(f"/bank/model_report/1/{REPORT_PAGE}")


def test_the_page_of_a_model_shows_the_model_and_its_evaluation(promoted):
    key = dg.AssetKey(["bank", "trained_model"])
    observed = promoted.instance.fetch_observations(key, limit=1).records[0].asset_observation.metadata
    assert observed.keys() >= {"family", "hyperparameters", "features", "where to look", "metrics", "report"}
    assert isinstance(observed["where to look"], dg.UrlMetadataValue), "which Dagster shows as a link"
    figures = {name for name in observed if name.startswith("figure/")}
    assert len(figures) == 2
    for asset in ("evaluation_report", "champion_model"):
        assert figures <= _metadata(promoted, asset).keys()


def test_the_page_of_a_champion_begins_with_what_people_read(promoted):
    names = list(_metadata(promoted, "champion_model"))
    assert names[:3] == ["report", "decision", "reason"]
    assert "champion change" not in names


def test_a_refusal_shows_verdict_rules_and_page(bank):
    text = (bank.settings.pipelines_dir / "bank.yaml").read_text().replace("min_rows: 50", "min_rows: 500")
    (bank.settings.pipelines_dir / "bank.yaml").write_text(text)
    result = bank.materialize("bank/raw_dataset", "bank/validated_dataset")
    assert "[gate_rejected]" in failure(result)
    (check,) = [each for each in result.get_asset_check_evaluations() if not each.passed]
    assert (check.check_name, "failing rows" in check.metadata) == ("row_count_in_range", False)
    key = dg.AssetKey(["bank", "validated_dataset"])
    (record,) = bank.instance.fetch_observations(key, limit=5).records
    shown = {name: entry.value for name, entry in record.asset_observation.metadata.items()}
    assert shown["verdict"] == "rejected by row_count_in_range; nothing was published"
    assert shown["failed rule 1"] == "row_count_in_range: 200 rows; expected at least 500 rows"
    assert shown["rows checked"] == 200
    assert shown["page"] == "http://localhost:8090/bank/validated_dataset/1/profile.html"


CHANGE = ChampionChange(
    registered_name="bank|<b>", outcome="promoted", version="2", previous_version="1", reason="better; *and* <b>new</b>"
)


@pytest.mark.parametrize(
    "change",
    [
        CHANGE,
        CHANGE.model_copy(update={"version": None, "previous_version": None, "outcome": "withdrawn"}),
        CHANGE.model_copy(update={"proposed_version": "3", "outcome": "rollback_proposed"}),
    ],
)
def test_a_change_of_the_champion_is_read_as_it_was_written(change):
    spec = PipelineSpec.model_validate_json(
        '{"name": "bank", "task": "regression", "dataset": {"source": "a.csv", "target": "y"}}'
    )
    (event,) = champion_events(spec, change)
    assert champion_change(event) == change


def test_a_change_that_an_earlier_version_wrote_is_read():
    entry = dg.MetadataValue.json(CHANGE.model_dump(mode="json"))
    assert champion_change(dg.AssetObservation("a", metadata={"champion change": entry})) == CHANGE
    assert champion_change(dg.AssetObservation("a", metadata={"reason": "none"})) is None


def test_a_promotion_is_read_from_the_event_of_the_run(promoted):
    event = promoted.instance.get_latest_materialization_event(dg.AssetKey(["bank", "champion_model"]))
    change = champion_change(event.asset_materialization)
    assert (change.outcome, change.version, change.registered_name) == ("promoted", "1", "bank")
