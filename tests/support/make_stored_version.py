"""How `stored_version_0_1.zip` was made: what version 0.1 stored, which every later version has to read.

From the root of a checkout of that version: `PYTHONPATH=. python tests/support/make_stored_version.py FILE`. Making it
again gives other run ids and times; what a later version stores is a fixture of its own beside this one.

Paths are relative to the folder that the zip is unpacked to, which has to be the working directory. Where they are
absolute, in `expected.json` and in MLflow's database, a text of SQL here, `@root@` stands for that folder.
"""

import json
import os
import sqlite3
import sys
import tempfile
import zipfile
from pathlib import Path

import dagster as dg
from small_platform import ASSETS, BANK, MONTHLY, Platform, bank_rows, failure, monthly_rows, write_csv

from assay.persistence import load_model
from assay.specs import load_pipelines
from assay.validation.rules_identity import rules_digest
from resources.commits.record import Commit
from resources.settings import Settings

DATA_MODIFIED = 1_600_000_000
"""Time stamp of the sources' files, which is their version for a sensor."""
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
OWN = '''\
"""A user's rule and transformer, named by import path in pipeline files."""

from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin


def has_a_note(rows):
    """Every row has a note."""
    return rows["note"].str.len() > 0


class Halved(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Half of each number."""

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        self.feature_names_in_ = X.columns.to_numpy(dtype=object)
        return self

    def transform(self, X):
        return X.to_numpy(dtype=float) / 2
'''
RULES = """\
  expressions: {{grown_up: age >= 17}}
  custom: {{noted: "stored_own:has_a_note"}}
  distributions: {{}}
"""
DETECTED = BANK.replace("  target: y\n", "  dialect: {{detect: true}}\n  target: y\n")
UNTUNED = BANK.replace("n_trials: 3, folds: 2", "enabled: false")
PIPELINES = {
    "data/bank.csv": DETECTED.replace("  min_rows: 50\n", f"  min_rows: 50\n{RULES}")
    + "scoring: {{}}\nmonitoring: {{drift: {{}}}}\n",
    "data/boosted.csv": UNTUNED.replace("name: bank", "name: boosted").replace(
        "logistic_regression]", "hist_gradient_boosting], hyperparameters: {{max_iter: 8}}"
    )
    + 'preprocessing: {{steps: [{{step: "stored_own:Halved", columns: [age]}}]}}\n',
    "data/light.csv": UNTUNED.replace("name: bank", "name: light").replace(
        "logistic_regression]", "lightgbm], hyperparameters: {{n_estimators: 8}}"
    ),
    "arrived/*.csv": UNTUNED.replace("name: bank", "name: arriving")
    .replace("  target: y\n", "  partitions: {{by: object}}\n  target: y\n")
    .replace("logistic_regression]", "xgboost], hyperparameters: {{n_estimators: 8}}")
    + "automation: {{retrain_on: [new_data]}}\n",
    "data/monthly.csv": MONTHLY
    + "scoring: {{columns: [day]}}\nmonitoring: {{drift: {{}}, performance: {{max_loss: 50}}}}\n",
}


def main(target: Path) -> None:
    """Store something of every kind, and pack it."""
    with tempfile.TemporaryDirectory() as folder, dg.instance_for_test() as instance:
        root = Path(folder).resolve()
        os.chdir(root)
        platform = _platform(root, instance)
        _write_sources()
        beginning = _look(platform, "notification_sensor", None)
        for pipeline in ("bank", "boosted", "light"):
            _make(platform, pipeline, *ASSETS)
        _make(platform, "bank", "batch_predictions", "drift_report")
        _run_months(platform)
        cursors = {"arriving_new_data_sensor": _run_arrivals(platform)}
        cursors["notification_sensor"] = _look(platform, "notification_sensor", beginning.cursor).cursor
        _pack(root, _facts(platform, cursors), target)


def _platform(root: Path, instance: dg.DagsterInstance) -> Platform:
    for name in ("pipelines", "extensions"):
        (root / name).mkdir()
    (root / "extensions" / "stored_own.py").write_text(OWN)
    settings = Settings(
        home=root / "home",
        pipelines_dir=root / "pipelines",
        extensions_dir=root / "extensions",
        git_sha="abc123",
        notify_webhook_url="http://127.0.0.1:9/",  # nobody answers there, so that deliveries wait
    )
    platform = Platform(settings, instance)
    for source, text in PIPELINES.items():
        platform.pipeline(text, source)
    return platform


def _write_sources() -> None:
    for name in ("data/bank.csv", "data/boosted.csv", "data/light.csv", "arrived/a.csv", "arrived/b.csv"):
        rows = bank_rows(120, seed=len(name))
        write_csv(Path(name), [row | {"note": f"{row['note']} word{n % 40}"} for n, row in enumerate(rows)])
    Path("arrived/c.csv").write_text("id,age\n1,2,3\n")
    refused = [row | {"x": -1} if row["day"].startswith("2021-03") else row for row in monthly_rows()]
    write_csv(Path("data/monthly.csv"), refused)
    for path in (*Path("data").iterdir(), *Path("arrived").iterdir()):
        os.utime(path, (DATA_MODIFIED, DATA_MODIFIED))


def _run_months(platform: Platform) -> None:
    """Make three months, a champion of them, and a month that the gate refuses."""
    for month in ("2020-12", "2021-01", "2021-02"):
        _make(platform, "monthly", *ASSETS[:2], partition=month)
    _make(platform, "monthly", *ASSETS[2:], partition="2021-02")
    _make(platform, "monthly", "drift_report", "performance_report", partition="2021-02")
    _make(platform, "monthly", "batch_predictions", "backtest_report")
    assert not platform.materialize("monthly/raw_dataset", "monthly/validated_dataset", partition="2021-03").success


def _run_arrivals(platform: Platform) -> str:
    """Train on one object; the run of the next dies and is to be repeated, the third file cannot be read."""
    first = _look(platform, "arriving_new_data_sensor", None)
    for request in first.dynamic_partitions_requests:
        platform.instance.add_dynamic_partitions(request.partitions_def_name, request.partition_keys)
    trained, died, unreadable = first.run_requests
    _make(platform, "arriving", *ASSETS, partition=trained.partition_key)
    job = platform.definitions.resolve_job_def("arriving_retrain_job")
    sensor = {"dagster/sensor_name": "arriving_new_data_sensor"}
    dead = platform.instance.create_run_for_job(
        job, tags={**sensor, "dagster/run_key": died.run_key, "dagster/partition": died.partition_key}
    )
    platform.instance.report_run_failed(dead)
    failed = job.execute_in_process(
        instance=platform.instance,
        partition_key=unreadable.partition_key,
        tags={**sensor, "dagster/run_key": unreadable.run_key},
        run_config=QUIET,
        raise_on_error=False,
    )
    assert not failed.success
    return _look(platform, "arriving_new_data_sensor", first.cursor).cursor


def _look(platform: Platform, name: str, cursor: str | None) -> dg.SensorResult:
    definitions = platform.definitions
    [sensor] = [sensor for sensor in definitions.sensors if sensor.name == name]
    needed = ("data_sources", "arrivals_store") if name.endswith("new_data_sensor") else ()
    with dg.build_sensor_context(
        instance=platform.instance,
        cursor=cursor,
        repository_def=definitions.get_repository_def(),
        resources={name: definitions.resources[name] for name in needed},
    ) as context:
        return sensor(context)


def _make(platform: Platform, pipeline: str, *assets: str, partition: str | None = None) -> None:
    result = platform.materialize(*(f"{pipeline}/{asset}" for asset in assets), partition=partition)
    assert result.success, failure(result)


def _facts(platform: Platform, cursors: dict[str, str]) -> dict:
    specs = load_pipelines(platform.settings.pipelines_dir)
    registry = platform.resources["model_registry"]
    commits = _newest_commits(platform)
    models = {name: commit for name, commit in commits.items() if commit.codec == "trained_model"}
    return {
        "data_modified": DATA_MODIFIED,
        "rules_digests": {spec.name: rules_digest(spec) for spec in specs},
        "commits": {name: _facts_of(commit) for name, commit in commits.items()},
        "predictions": {name: _predictions(platform, commit) for name, commit in models.items()},
        "champions": {spec.name: registry.champion(spec.name).digest for spec in specs},
        "cursors": cursors,
    }


def _newest_commits(platform: Platform) -> dict[str, Commit]:
    """Return the newest commit by `asset` or `asset@partition`."""
    store = Path(platform.settings.artifact_uri)
    records = [Commit.model_validate_json(path.read_text()) for path in sorted(store.rglob("commits/*.json"))]
    return {"/".join(each.asset) + (f"@{each.partition}" if each.partition else ""): each for each in records}


def _facts_of(commit: Commit) -> dict:
    receipt = commit.receipt
    return {
        "number": commit.number,
        "status": commit.status,
        "data_version": commit.data_version,
        "rules_digest": receipt.rules_digest if receipt else None,
    }


def _predictions(platform: Platform, commit: Commit) -> dict[str, list]:
    [folder] = {(Path(platform.settings.artifact_uri) / item.key).parent for item in commit.objects}
    with tempfile.TemporaryDirectory() as plain:  # stored names have a digest before them
        for item in commit.objects:
            (Path(plain) / item.name).write_bytes((folder / Path(item.key).name).read_bytes())
        model = load_model(Path(plain))
    methods = ("predict", "predict_proba") if model.manifest.classes else ("predict",)
    return {name: getattr(model.estimator, name)(model.input_example).tolist() for name in methods}


def _pack(root: Path, facts: dict, target: Path) -> None:
    with sqlite3.connect(root / "home" / "mlflow" / "mlflow.db") as database:
        texts = {"home/mlflow/mlflow.sql": "\n".join(database.iterdump()), "expected.json": json.dumps(facts, indent=1)}
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    kept = {name: data for name, data in files.items() if "mlflow/mlflow." not in name and "__pycache__" not in name}
    kept = {name: data for name, data in kept.items() if not name.endswith(".png")}
    kept |= {name: text.replace(str(root), "@root@").encode() for name, text in texts.items()}
    named = [name for name, data in kept.items() if str(root).encode() in data]
    assert not named, named
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for name in sorted(kept):
            packed.writestr(zipfile.ZipInfo(name), kept[name], zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
