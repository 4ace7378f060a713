"""`dagster asset materialize` in a shell without any set-up: exit codes, messages, and what is left behind."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import mlflow
import pytest
from checkouts import checkout_in
from small_platform import BANK, bank_rows, relocate, write_csv

ROOT = Path(__file__).parents[2]
DATA = "flight_delays/raw_dataset,flight_delays/feature_set,flight_delays/validated_dataset"


@pytest.fixture
def flights(checkout):
    shutil.copy(ROOT / "pipelines" / "flight_delays.yaml", checkout.root / "pipelines")
    return checkout


def with_bank(checkout):
    checkout.write("pipelines/bank.yaml", BANK.format(source="data/bank.csv"))
    write_csv(checkout.root / "data" / "bank.csv", bank_rows())
    return checkout


@pytest.fixture
def bank(checkout):
    return with_bank(checkout)


def materialize(checkout, select, *, partition=None, parameters=None, launched=False, **environment):
    begun = "dg launch --assets" if launched else "dagster asset materialize -f definitions.py --select"
    command = f"{begun} '{select}'"
    command += f" --partition {partition}" if partition else ""
    if parameters:
        config = json.dumps({"resources": {"run_parameters": {"config": parameters}}})
        command += f" --config-json '{config}'"
    return checkout.run(command, **environment)


def test_a_partition_of_real_data_passes_or_fails_by_exit_code(flights):
    good = materialize(flights, DATA, partition="2013-03")
    assert good.returncode == 0, good.stdout[-3000:]
    assert "DEBUG" not in good.stdout
    assert re.search(r"gate +passed 27,\d{3} rows", good.stdout)
    assert good.stdout.endswith("\nrun succeeded\n")
    # issue 11: a run with parameters changes production only if it asks, and the deployment allows it
    strict = {"space": "production", "data_validation": {"allowed": {"origin": ["EWR", "JFK"]}}}
    bad = materialize(flights, DATA, partition="2013-02", parameters=strict, ASSAY_RUN_PRODUCTION="on")
    assert bad.returncode == 1
    assert "Asset check 'values_allowed'" in bad.stdout
    later = materialize(flights, "flight_delays/best_hyperparameters", partition="2013-04")
    assert later.returncode == 1
    missing = materialize(flights, DATA, partition="2013-04")
    assert missing.returncode == 0
    refused = materialize(flights, "flight_delays/best_hyperparameters", partition="2013-04")
    assert refused.returncode == 1
    last = refused.stdout[refused.stdout.index("Error: Materialization failed.") :]
    assert "[gate_rejected]" in last
    assert "flight_delays/validated_dataset, partition 2013-02" in last


@pytest.mark.full
def test_a_second_shell_finds_what_the_first_one_made(bank):
    first = materialize(bank, "bank/raw_dataset,bank/validated_dataset,bank/best_hyperparameters")
    assert first.returncode == 0, first.stdout[-3000:]
    second = materialize(bank, "bank/trained_model,bank/evaluation_report,bank/champion_model", launched=True)
    assert second.returncode == 0, second.stdout[-3000:]
    assert "SupersessionWarning" not in second.stdout
    refused = {"test_size": 7}
    third = materialize(bank, "bank/raw_dataset", parameters=refused, launched=True)
    assert third.returncode == 1
    assert "'test_size' is not acceptable" in third.stdout[-600:]
    assert (bank.root / ".assay" / "dagster" / "history" / "runs.db").exists()
    assert not (bank.root / "mlruns").exists()


@pytest.fixture(scope="module")
def tuned_once(tmp_path_factory, warmed):
    """A checkout in which all that a training needs is made; it is copied."""
    with warmed(checkout_in(tmp_path_factory.mktemp("tuned") / "checkout")) as made:
        ready = materialize(with_bank(made), "bank/raw_dataset,bank/validated_dataset,bank/best_hyperparameters")
        assert ready.returncode == 0, ready.stdout[-3000:]
        yield made


@pytest.fixture
def tuned(tuned_once, tmp_path, warmed):
    root = tmp_path / "checkout"
    shutil.copytree(tuned_once.root, root)
    for database in root.glob(".assay/mlflow/*.db"):
        relocate(database, str(tuned_once.root), str(root))
    with warmed(replace(tuned_once, root=root)) as copied:
        yield copied


@pytest.mark.parametrize(
    "executor", ["in_process", *(pytest.param(name, marks=pytest.mark.full) for name in ("multiprocess", "forkserver"))]
)
def test_every_executor_leaves_the_right_status_in_mlflow(tuned, executor):
    done = materialize(tuned, "bank/trained_model,bank/evaluation_report", ASSAY_EXECUTOR=executor)
    assert done.returncode == 0, done.stdout[-3000:]
    failed = materialize(
        tuned,
        "bank/trained_model,bank/evaluation_report",
        parameters={"space": "production", "target_output_path": "ftp://nowhere"},
        ASSAY_RUN_PRODUCTION="on",
        ASSAY_EXECUTOR=executor,
        ASSAY_RUN_ROOTS="ftp://nowhere",
    )
    assert failed.returncode == 1
    assert "there is no store behind this URI" in failed.stdout
    client = mlflow.MlflowClient(f"sqlite:///{tuned.root}/.assay/mlflow/mlflow.db")
    experiment = client.get_experiment_by_name("assay/bank")
    runs = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time"])
    assert [run.info.status for run in runs] == ["FINISHED", "FAILED"]


def test_a_bad_pipeline_file_stops_the_load_with_its_line(bank):
    text = BANK.format(source="data/bank.csv").replace("tuning:", "tunning:")
    line = next(number for number, found in enumerate(text.splitlines(), 1) if found.startswith("tunning"))
    bank.write("pipelines/bank.yaml", text)
    done = materialize(bank, "bank/raw_dataset")
    assert done.returncode != 0
    assert "unknown key 'tunning'; did you mean 'tuning'?" in done.stdout
    assert f"pipelines/bank.yaml:{line} (tunning)" in done.stdout


def test_an_unknown_run_parameter_is_refused(bank):
    done = materialize(bank, "bank/raw_dataset", parameters={"modelname": "ridge"})
    assert done.returncode != 0
    assert "modelname" in done.stdout


def test_a_server_that_is_down_costs_seconds_and_loses_nothing(bank):
    bank.write("pipelines/bank.yaml", BANK.format(source="data/bank.csv") + "execution: {max_retries: 0}\n")
    assert materialize(bank, "bank/raw_dataset,bank/validated_dataset,bank/best_hyperparameters").returncode == 0
    done = materialize(bank, "bank/trained_model", ASSAY_MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert done.returncode == 1
    assert "[tracker_unavailable] the MLflow server does not answer" in done.stdout
    assert "ASSAY_MLFLOW_TRACKING_URI" in done.stdout
