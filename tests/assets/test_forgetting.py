"""`assay forget` on a platform: every stored row of a person goes, models are named, and the platform works on."""

import csv
import io
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from small_platform import failure

from assay.data.dataset import ValidatedDataset
from assay.errors import MissingColumnError
from assay.shell.flags import Flags
from ml_assets.commands import forget as command
from ml_assets.commands.deployment import Deployment
from ml_assets.commands.plan import source_rows
from ml_assets.pipeline.asset import Phase
from ml_assets.pipeline.monitored_rows import _learned_from
from ml_assets.planning import Planner
from ml_assets.stages import names_in
from resources.artifacts.forget_journal import ForgetJournal
from resources.artifacts.learned_models import _may_have_learned

BANK = ("bank", "validated_dataset")
LEARNING = names_in(Phase.LEARNING)


@pytest.fixture
def forget(trained_bank, monkeypatch):
    """Return a function that runs the command on a trained platform and returns its lines."""
    monkeypatch.setattr(command, "Deployment", lambda: Deployment(trained_bank.settings))

    def run(where, name="bank", **flags):
        passed, text = command.forget(Flags(where=where, name=name, **flags))
        assert passed
        return text.splitlines()

    return run


def sides(platform):
    """Return an id of a row that the champion has learned from, and one of a row that was held out."""
    table = platform.artifacts.load(BANK, None, ValidatedDataset).table
    model = platform.resources["model_registry"].current_champion("bank").model
    learned = model.manifest.may_have_learned(table, [""] * table.num_rows, time_partitions=False)
    ids = table["id"].to_pylist()
    # the first rows are in the model's input example
    return next(one for one, is_in in zip(reversed(ids), reversed(learned), strict=True) if is_in), next(
        one for one, is_in in zip(ids, learned, strict=True) if not is_in
    )


def stored_ids(platform):
    found = set()
    for item in platform.artifacts.store.list_objects(""):
        if item.key.endswith("-data.parquet"):
            table = pq.read_table(io.BytesIO(platform.artifacts.store.get_bytes(item.key)))
            found |= set(table["id"].to_pylist())
    return found


def without(source, one):
    """Remove a row from the source, as its owner does."""
    rows = list(csv.reader(source.open()))
    with source.open("w", newline="") as file:
        csv.writer(file).writerows(row for row in rows if row[0] != one)


def test_a_person_is_shown_then_forgotten_and_the_models_are_named(trained_bank, forget):
    learned, _ = sides(trained_bank)
    dry = forget(f"id = '{learned}'", dry_run=True)
    assert dry == [
        "         1 row in bank/raw_dataset, version 1",
        "         1 row in bank/validated_dataset, version 1",
        "would remove bank/model_report, version 1",
        "would remove bank/model_report, version 2",
        "would remove bank/validation_report, version 1",
        "learned from them: bank/trained_model, version 1, registered as bank version 1, the champion",
    ]
    assert learned in stored_ids(trained_bank)
    done = forget(f"id = '{learned}'")
    assert (
        done[:6]
        == [line.replace(" in ", " removed from ").replace("would remove", "removed") for line in dry[:5]] + dry[5:]
    )
    [run] = [line.removeprefix("dagster run delete ") for line in done if line.startswith("dagster run delete ")]
    assert trained_bank.instance.get_run_by_id(run) is not None
    assert learned not in stored_ids(trained_bank)
    assert len(stored_ids(trained_bank)) == 199
    assert forget(f"id = '{learned}'") == ["no stored table holds such rows"]
    [begun, finished] = ForgetJournal(trained_bank.artifacts.store).entries()
    assert (begun.event, finished.event) == ("started", "finished")


def test_who_was_held_out_was_learned_from_by_the_deployed_model_alone(trained_bank, forget):
    _, held_out = sides(trained_bank)
    table = trained_bank.artifacts.load(BANK, None, ValidatedDataset).table
    row = table.filter(pc.equal(table["id"], held_out))
    manifest = trained_bank.resources["model_registry"].current_champion("bank").model.manifest
    assert not _may_have_learned(manifest.model_copy(update={"refit": None}), None, row)
    lines = forget(f"id = '{held_out}'")
    assert [line for line in lines if line.startswith("learned from them")]
    assert held_out not in stored_ids(trained_bank)


def test_a_model_whose_example_shows_the_row_is_marked(trained_bank, forget):
    table = trained_bank.artifacts.load(BANK, None, ValidatedDataset).table
    model = trained_bank.resources["model_registry"].current_champion("bank").model
    learned = model.manifest.may_have_learned(table, [""] * table.num_rows, time_partitions=False)
    first = next(one for one, is_in in zip(table["id"].to_pylist(), learned, strict=True) if is_in)
    [line] = [line for line in forget(f"id = '{first}'", dry_run=True) if line.startswith("learned from them")]
    assert line.endswith("its input example shows one")


@pytest.mark.full
def test_after_that_the_plan_retrains_and_everything_can_be_made(trained_bank, forget):
    learned, _ = sides(trained_bank)
    spec = Deployment(trained_bank.settings).pipeline("bank")

    def planned():
        deployment = Deployment(trained_bank.settings)
        planner = Planner(spec, trained_bank.artifacts, source_rows(deployment, spec))
        return {each.asset: each.action for each in planner.plan(None)}

    assert set(planned().values()) == {"unchanged"}
    without(Path("data/bank.csv"), learned)
    forget(f"id = '{learned}'")
    # the stored rows are those of the source without the person
    assert planned() == {
        "raw_dataset": "unchanged",
        "validated_dataset": "unchanged",
        "best_hyperparameters": "run",
        "trained_model": "run",
        "evaluation_report": "run",
        "champion_model": "run",
    }
    names = ("best_hyperparameters", "trained_model", "evaluation_report", "champion_model")
    made = trained_bank.materialize(*[f"bank/{name}" for name in names])
    assert made.success, failure(made)
    assert set(planned().values()) == {"unchanged"}
    lines = forget(f"id = '{learned}'", dry_run=True)
    assert lines == ["no stored table holds such rows"]


def test_what_refers_to_the_champions_training_rows_works_on_before_a_retraining(trained_bank, forget):
    learned, _ = sides(trained_bank)
    forget(f"id = '{learned}'")
    spec = Deployment(trained_bank.settings).pipeline("bank")
    champion = trained_bank.resources["model_registry"].current_champion("bank")
    window = _learned_from(champion, trained_bank.artifacts, spec, required=True)
    assert window[""].table.num_rows == 199
    assert window[""].receipt.forgotten_rows == 1


@pytest.mark.full
def test_a_model_that_continues_one_that_learned_from_the_rows_is_named_too(trained_bank, forget):
    learned, _ = sides(trained_bank)
    without(Path("data/bank.csv"), learned)
    names = ("raw_dataset", "validated_dataset", "best_hyperparameters", "trained_model")
    made = trained_bank.materialize(
        *[f"bank/{name}" for name in names], parameters={"training_scenario": "incremental"}
    )
    assert made.success, failure(made)
    made = trained_bank.materialize("bank/trained_model", parameters={"random_state": 5})
    assert made.success, failure(made)
    lines = [line for line in forget(f"id = '{learned}'", dry_run=True) if line.startswith("learned from them")]
    assert [line.partition("version ")[2][:1] for line in lines] == ["1", "2"]


def test_nonsense_is_refused_by_name(forget):
    with pytest.raises(MissingColumnError, match="customer_id"):
        forget("customer_id = 17")


@pytest.mark.full
def test_a_person_is_forgotten_in_every_space_and_models_of_experiments_are_named(trained_bank, forget):
    learned, _ = sides(trained_bank)
    own_rows = {"data_validation": {"min_rows": 60}, "space": "strict"}
    assert trained_bank.materialize("bank/*", parameters=own_rows, experiment=True).success
    shared = {"tuning": {"enabled": False}, "space": "quick"}
    done = trained_bank.materialize(*(f"bank/{name}" for name in LEARNING), parameters=shared, experiment=True)
    assert done.success, failure(done)

    lines = forget(f"id = '{learned}'")

    assert learned not in stored_ids(trained_bank)
    quick, strict = lines.index("in the space experiment-quick:"), lines.index("in the space experiment-strict:")
    [named] = lines[quick + 1 : strict]
    assert named.startswith("learned from them: bank/trained_model, version 1, registered as bank-experiment-quick")
    assert "         1 row removed from bank/validated_dataset, version 1" in lines[strict:]
    assert any(line.startswith("learned from them: bank/trained_model") for line in lines[strict:])
