"""`assay validate`, `ingest`, `tune` and `train` as real processes: exit codes, standard output, what is left behind."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import mlflow
import pandas as pd
import pyarrow.parquet as pq
import pytest

from assay.learning.persistence import load_model

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[2]
COLUMNS = '"age";"job";"marital";"balance";"y"\n'
TUNING = (
    '{"enabled": true, "n_trials": 3, "timeout": 900, "search_space": {"C": {"type": "float", "low": 0.001, "high": 10,'
    ' "log": true}, "max_iter": {"type": "int", "low": 100, "high": 400, "step": 50}}}'
)


def bank_csv(rows=240, seed=5):
    """Rows laid out as the UCI bank data are: semicolons, quoted texts."""
    draw = random.Random(seed)
    lines = []
    for number in range(rows):
        age, job = 30 + number % 6, draw.choice(["admin.", "nurse", "pilot"])
        y = "yes" if draw.random() < (0.8 if age > 32 else 0.2) else "no"
        lines.append(
            f'{age};"{job}";"{draw.choice(["single", "married"])}";{age * 100 + draw.randint(-90, 90)};"{y}"\n'
        )
    return COLUMNS + "".join(lines)


@pytest.fixture
def assay(tmp_path, scripts):
    """Return a function that runs a command in a folder of its own that holds `bank.csv`."""
    (tmp_path / "bank.csv").write_text(bank_csv())
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ASSAY_", "AWS_", "MLFLOW_", "PYTHON"))
    }
    command = (scripts / "assay",)

    def run(*arguments, program=command, **environment):
        return subprocess.run(
            [*map(str, program), *map(str, arguments)],
            cwd=tmp_path,
            env=clean | {"PYTHONDONTWRITEBYTECODE": "1"} | environment,
            capture_output=True,
            text=True,
            timeout=1500,
            check=False,
        )

    run.folder = tmp_path
    return run


def one_line(done, code=0):
    """Return the only line of standard output."""
    assert done.returncode == code, done.stderr
    assert done.stdout.count("\n") == 1
    assert "Traceback" not in done.stderr
    return done.stdout.rstrip("\n")


def refused(done, reported):
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert reported in done.stderr
    assert "Traceback" not in done.stderr


def test_help_and_version_need_nothing_heavy(assay):
    for program in ((BIN / "assay",), (sys.executable, "-m", "assay.shell")):
        assert one_line(assay("--version", program=program)).startswith("assay ")
    imported = assay(
        "-c",
        "import sys, assay.shell.main as m\n"
        "def loaded(*names): print('loaded:', [each for each in names if each in sys.modules])\n"
        "m.main(['--help'])\nloaded('pydantic', 'pyarrow', 'pandas', 'sklearn', 'optuna', 'dagster')\n"
        "m.main(['train', '--help'])\nloaded('pandas', 'sklearn', 'optuna', 'dagster')",
        program=(sys.executable,),
    )
    assert [line for line in imported.stdout.splitlines() if line.startswith("loaded:")] == ["loaded: []"] * 2


@pytest.mark.cold
def test_bash_completes_commands_flags_and_choices(assay, scripts):
    """Type into an interactive bash what a user types before the tab key."""
    script = assay.folder / "complete.sh"
    script.write_text(
        f'PATH={scripts}:$PATH\neval "$(_ASSAY_COMPLETE=bash_source assay)"\n'
        'answers() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _assay_completion assay; echo "${COMPREPLY[@]}"; }\n'
        "answers assay t\nanswers assay train --test\nanswers assay ingest --data-format x\n"
    )
    done = assay(str(script), program=("bash",))
    assert done.stdout.splitlines() == ["tune train", "--test-size", "xlsx"], done.stderr


def test_the_workers_validate_line_works(assay):
    done = assay(
        "validate",
        *("--dataset-path", "bank.csv", "--data-format", "csv", "--target-column", "age"),
        *("--validation-config", '{"max_missing": 0.02, "drop_null_rows": true}'),
        *("--report-uri", "output/bank_marketing/validation_summary.json", "--html-uri", "output/page.html"),
    )
    report = assay.folder / one_line(done)
    assert json.loads(report.read_text())["passed"] is True
    assert "the task is taken to be multiclass_classification" in done.stderr
    assert "</html>" in (assay.folder / "output" / "page.html").read_text()


def test_a_refused_gate_writes_its_report_and_exits_with_one(assay):
    rules = '{"ranges": {"age": {"max": 33}}}'
    validated = assay(
        *("validate", "--dataset-path", "bank.csv", "--target-column", "y"),
        *("--validation-config", rules, "--report-uri", "report.json"),
    )
    assert one_line(validated, code=1) == "report.json"
    report = json.loads((assay.folder / "report.json").read_text())
    assert [rule["name"] for rule in report["rules"] if not rule["passed"]] == ["values_in_range"]
    assert "the gate refused the data: values_in_range" in validated.stderr
    trained = assay(
        *("train", "--train-data-path", "bank.csv", "--target-column", "y", "--model-name", "logistic_regression"),
        *("--validation-config", rules, "--target-output-path", "output"),
    )
    assert (trained.returncode, trained.stdout) == (1, "")
    assert not (assay.folder / "output").exists()


@pytest.mark.full
@pytest.mark.cold
def test_the_workers_tune_and_train_lines_work(assay):
    tuned = assay(
        "tune",
        *("--train-data-path", "bank.csv", "--target-column", "y", "--model-name", "logistic_regression"),
        *("--base-hyperparameters", '{"solver": "liblinear"}', "--tuning-config", TUNING),
        *("--output-uri", "output/best_params.json", "--test-size", "0.2", "--random-state", "123"),
    )
    best = json.loads((assay.folder / one_line(tuned)).read_text())
    assert best.keys() >= {"solver"}
    assert "trial 3 of at most 3" in tuned.stderr
    trained = assay(
        "train",
        *("--train-data-path", "bank.csv", "--target-column", "y", "--model-name", "logistic_regression"),
        *("--model-version", "2", "--target-output-path", "output/bank_marketing/"),
        *("--hyperparameters", '{"C": 0.5, "solver": "liblinear", "max_iter": 200}'),
        *("--hyperparameters-uri", "output/best_params.json"),
        *("--training-scenario", "incremental_train", "--test-size", "0.15", "--random-state", "123"),
    )
    bundle = assay.folder / one_line(trained)
    assert bundle == assay.folder / "output/bank_marketing/logistic_regression/2"
    model = load_model(bundle)
    assert model.manifest.parameters == {"C": 0.5, "max_iter": 200} | best
    assert model.manifest.holdout_rows == 27  # 15 % of 240, up to the noise of the hash
    metrics = json.loads((bundle / "metrics.json").read_text())
    assert metrics["metrics"]["roc_auc"] > metrics["baseline"]["roc_auc"]
    assert "Not compared with a champion" in (bundle / "model_card.md").read_text()
    assert json.loads((bundle / "validation_report.json").read_text())["passed"] is True
    assert sorted(path.name for path in bundle.parent.iterdir()) == ["2"]


def test_what_scikit_learn_refuses_is_a_typed_error(assay):
    """The worker's own line: `age` has many classes, and liblinear knows two."""
    done = assay(
        *("train", "--train-data-path", "bank.csv", "--target-column", "age", "--model-name", "logistic_regression"),
        *("--model-version", "2", "--target-output-path", "output/bank_marketing/"),
        *("--hyperparameters", '{"C": 0.5, "solver": "liblinear", "max_iter": 200}'),
        *("--training-scenario", "incremental_train", "--test-size", "0.15", "--random-state", "123"),
    )
    refused(done, "The 'liblinear' solver does not support multiclass classification")


def test_without_a_search_the_base_values_come_back_without_the_data(assay):
    done = assay(
        *("tune", "--train-data-path", "no-such.csv", "--target-column", "y", "--model-name", "logistic_regression"),
        *("--base-hyperparameters", '{"solver": "liblinear"}', "--tuning-config", '{"enabled": false}'),
        *("--output-uri", "best.json"),
    )
    assert json.loads((assay.folder / one_line(done)).read_text()) == {"solver": "liblinear"}


def test_an_incremental_training_goes_on_from_a_bundle_and_is_tracked(assay):
    line = ("train", "--train-data-path", "bank.csv", "--target-column", "y", "--model-name", "hist_gradient_boosting")
    first = one_line(assay(*line, "--target-output-path", "models"))
    done = assay(
        *(*line, "--target-output-path", "models", "--model-version", "2", "--training-scenario", "incremental"),
        *("--base-model-uri", first, "--tracking-uri", f"sqlite:///{assay.folder}/mlflow/runs.db"),
        *("--run-id-uri", "out/run_id.txt"),
    )
    manifest = load_model(assay.folder / one_line(done)).manifest
    assert manifest.scenario_applied == "incremental"
    run = mlflow.MlflowClient(f"sqlite:///{assay.folder}/mlflow/runs.db").get_run(manifest.annotations["mlflow_run_id"])
    assert run.info.status == "FINISHED"
    assert (assay.folder / "out" / "run_id.txt").read_text() == run.info.run_id
    untracked = assay(*line, "--target-output-path", "others", "--run-id-uri", "run_id.txt")
    assert untracked.returncode == 2
    assert "add --tracking-uri" in untracked.stderr
    assert not (assay.folder / "others").exists()
    assert {"holdout_roc_auc", "training_log_loss_by_round", "holdout_log_loss_by_round"} <= set(run.data.metrics)
    assert run.info.artifact_uri.startswith(str(assay.folder / "mlflow" / "artifacts"))


def test_a_pipeline_file_stands_in_for_flags_and_finds_modules_beside_it(assay):
    (assay.folder / "bank.yaml").write_text(
        "name: bank\ntask: binary_classification\n"
        'dataset: {source: "${BANK}", dialect: {delimiter: ";"}, target: y}\n'
        'validation: {custom: {adults: "own_rules:adults"}}\n'
    )
    (assay.folder / "own_rules.py").write_text("def adults(rows):\n    return rows['age'] >= 31\n")
    done = assay("validate", "--pipeline", "bank.yaml", "--report-uri", "r.json", BANK="bank.csv")
    assert one_line(done, code=1) == "r.json"
    assert "custom_rules_hold" in done.stderr


def test_ingest_writes_parquet_and_its_schema(assay):
    done = assay("ingest", "--source", "bank.csv", "--output-uri", "lake/bank.parquet")
    rows = pq.read_table(assay.folder / one_line(done)).to_pandas()
    expected = pd.read_csv(assay.folder / "bank.csv", sep=";")
    assert rows.astype(object).equals(expected.astype(object))
    schema = json.loads((assay.folder / "lake" / "bank.schema.json").read_text())
    assert schema["rows"] == 240
    assert schema["columns"][0] == {"name": "age", "dtype": "int64"}
    assert schema["dialect"]["delimiter"] == ";"


def test_a_refused_file_leaves_nothing_but_its_quarantine(assay):
    (assay.folder / "bad.csv").write_text("a,b\n1,2\n3,4\n5,6,7\n")
    done = assay(
        *("ingest", "--source", "bad.csv", "--output-uri", "lake/bad.parquet", "--quarantine-uri", "quarantine"),
        *("--dialect", '{"delimiter": ","}'),
    )
    refused(done, "[data_malformed: ragged_row]")
    assert not (assay.folder / "lake").exists()
    assert (assay.folder / "quarantine" / "bad.csv").read_bytes() == (assay.folder / "bad.csv").read_bytes()
    reported = json.loads((assay.folder / "quarantine" / "bad.csv.refusal.json").read_text())
    assert (reported["code"], reported["defect"]) == ("data_malformed", "ragged_row")


def test_every_command_works_on_s3(assay, s3_server):
    s3_server.client.create_bucket(Bucket="bucket")
    s3_server.client.put_object(Bucket="bucket", Key="data/bank.csv", Body=bank_csv().encode())
    keys = {
        "AWS_ENDPOINT_URL": s3_server.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    ingested = assay(
        *("ingest", "--source", "s3://bucket/data/bank.csv", "--output-uri", "s3://bucket/lake/bank.parquet"), **keys
    )
    rows = one_line(ingested)
    done = assay(
        *("train", "--train-data-path", rows, "--target-column", "y", "--model-name", "logistic_regression"),
        *("--model-version", "2", "--target-output-path", "s3://bucket/output/bank_marketing/"),
        *("--report-uri", "s3://bucket/output/report.json"),
        **keys,
    )
    assert one_line(done) == "s3://bucket/output/bank_marketing/logistic_regression/2"
    listed = s3_server.client.list_objects_v2(Bucket="bucket", Prefix="output/")["Contents"]
    bundle = "output/bank_marketing/logistic_regression/2"
    names = (
        "evaluated.skops",
        "input_example.parquet",
        "manifest.json",
        "metrics.json",
        "model.skops",
        "model_card.md",
    )
    found = {item["Key"] for item in listed}
    assert found >= {"output/report.json", f"{bundle}/manifest.json"}
    assert {key.rpartition("/")[2] for key in found if key.startswith(bundle)} == {*names, "validation_report.json"}
    missing = assay(
        *("validate", "--dataset-path", "s3://bucket/data/none.csv", "--target-column", "y", "--report-uri", "r.json"),
        **keys,
    )
    refused(missing, "[source_not_found]")


def test_a_bare_library_says_what_s3_needs(assay):
    hide_the_platform = (
        "import sys\nsys.modules['resources'] = None\nfrom assay.shell.main import main\nsys.exit(main())"
    )
    done = assay(
        *("-c", hide_the_platform, "ingest", "--source", "s3://bucket/a.csv", "--output-uri", "a.parquet"),
        program=(sys.executable,),
    )
    refused(done, "install the platform")
