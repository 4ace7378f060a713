"""One behaviour of tracker and registry, over every kind of backend: a SQLite file and a real server."""

import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from object_stores import object_store_at

from assay.data.schema import ColumnSchema, TableSchema
from assay.errors import DigestMismatchError, TrackerUnavailableError, TrackingError
from assay.learning.estimators.family import family_names
from assay.learning.splitting import LabelledRows, Split
from assay.learning.training import train
from assay.promotion.decision import PromotionDecision
from assay.results.learned_rows import LearnedRows
from assay.results.search_result import BestHyperparameters, TrialRecord
from assay.specs import PipelineSpec, Task
from assay.specs.dataset import ColumnRole
from resources.mlflow.models import DIGEST_TAG, PublishedModel
from resources.mlflow.registry import Comparison, MlflowModelRegistry
from resources.mlflow.tracker import IDENTITY_TAG, MlflowTracker, RunIdentity
from resources.mlflow.versions import CHAMPION, PREVIOUS

ROOT = Path(__file__).parents[2]
IDENTITY = RunIdentity("demo", "dagster-run", "demo/trained_model", "2024-01")


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def server_uri(tmp_path_factory):
    folder, port = tmp_path_factory.mktemp("mlflow"), _free_port()
    command = [
        str(Path(sys.executable).parent / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination", str(folder / "artifacts"),
    ]  # fmt: skip
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "log.txt").open("w") as log:
        server = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
    try:
        _await_health(f"http://127.0.0.1:{port}/health", server, folder / "log.txt")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(timeout=30)


def _await_health(url, server, log):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.3)
    pytest.fail(f"no MLflow server:\n{log.read_text()[-2000:]}")


@pytest.fixture(scope="session")
def sqlite_uri(tmp_path_factory, templates):
    folder = tmp_path_factory.mktemp("tracking")
    templates.empty_mlflow(folder)
    return f"sqlite:///{folder}/mlflow.db"


@pytest.fixture(params=["sqlite", pytest.param("server", marks=pytest.mark.full)])
def tracker(request, tmp_path):
    """A tracker whose experiments no other test sees."""
    uri = request.getfixturevalue(f"{request.param}_uri")
    root = str(tmp_path / "artifacts") if request.param == "sqlite" else ""
    return MlflowTracker(tracking_uri=uri, artifact_root=root, experiment_prefix=tmp_path.name, tags={"team": "a"})


@pytest.fixture
def registry(tracker, tmp_path):
    return MlflowModelRegistry(tracking_uri=tracker.tracking_uri, object_store=object_store_at(tmp_path / "store"))


@pytest.fixture
def fresh(tracker):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=tracker.tracking_uri, registry_uri=tracker.tracking_uri)


def _spec(task="binary_classification", family="logistic_regression"):
    document = {
        "name": "demo",
        "task": task,
        "dataset": {"source": "rows.csv", "target": "y"},
        "model": {"candidates": [family]},
    }
    return PipelineSpec.model_validate_json(json.dumps(document))


def _split(task="binary_classification", rows=120):
    random = np.random.default_rng(0)
    number = random.normal(size=rows)
    features = pd.DataFrame(
        {
            "number": np.where(np.arange(rows) % 9 == 3, np.nan, number),
            "colour": random.choice(np.array(["red", "green", None], dtype=object), rows),
            "when": (np.datetime64("2024-01-01") + np.arange(rows) * np.timedelta64(5, "h")).astype("datetime64[us]"),
            "words": random.choice(np.array(["a fine day", "rain again", ""], dtype=object), rows),
        }
    )
    target = {
        "regression": number,
        "binary_classification": np.where(number > 0, "yes", "no").astype(object),
        "multiclass_classification": np.array(["low", "mid", "high"], dtype=object)[np.digitize(number, [-0.5, 0.5])],
    }[task]
    roles = [ColumnRole.NUMERIC, ColumnRole.CATEGORICAL, ColumnRole.DATETIME, ColumnRole.TEXT]
    columns = tuple(ColumnSchema(name=name, dtype="any", role=role) for name, role in zip(features, roles, strict=True))
    return Split(
        train=LabelledRows(features[:80], pd.Series(target[:80], name="y")),
        holdout=LabelledRows(features[80:].reset_index(drop=True), pd.Series(target[80:], name="y")),
        features=TableSchema(version=1, columns=columns),
        unused_columns={},
        train_groups=None,
        data_digests={"": "d" * 64},
        holdout_table=pa.Table.from_pandas(features[80:], preserve_index=False),
        holdout_partitions=np.full(len(features) - 80, "", dtype=object),
        holdout_digest="h" * 64,
        learned=LearnedRows(partitions=("earlier rows",)),
        classes=() if task == "regression" else tuple(sorted(set(target))),
    )


def _best(family="logistic_regression", trials=(), **parameters):
    return BestHyperparameters(
        family=family, parameters=parameters, metric="roc_auc", direction="maximize", searched=bool(trials),
        stopped_by="n_trials", seed=1, trials=trials,
    )  # fmt: skip


TRIALS = (
    TrialRecord(number=0, state="complete", family="logistic_regression", parameters={"C": 0.1}, value=0.7),
    TrialRecord(number=1, state="failed", family="logistic_regression", parameters={"C": 1.0}, reason="no value"),
    TrialRecord(number=2, state="complete", family="logistic_regression", parameters={"C": 9.0}, value=0.8),
    TrialRecord(number=3, state="stopped", family="logistic_regression", parameters={"C": 99.0}, reason="too long"),
)


def _trained(task="binary_classification", family="logistic_regression", **parameters):
    return train(_split(task), _best(family, **parameters), _spec(task, family))


def _logged(tracker, identity=IDENTITY, **parameters):
    with tracker.run(identity, {}) as run:
        model = _trained(**parameters).annotated(mlflow_run_id=run.run_id)
        uri = run.log_model(model)
    return model, uri


def _decision(verdict):
    return PromotionDecision(verdict=verdict, reason="for the test", metric="roc_auc", challenger_value=0.8)


def _applied(registry, model, spec, verdict="promoted"):
    """Carry out a decision that was made just now."""
    met = registry.champion(spec.registered_name)
    return registry.apply(Comparison(model, met, _decision(verdict), "# card", "run"), spec)


def _called(name):
    return _spec().model_copy(update={"name": name})


def _runs(tracker, fresh):
    experiment = fresh.get_experiment_by_name(f"{tracker.experiment_prefix}/demo")
    return fresh.search_runs([experiment.experiment_id])


def _files(client, list_artifacts, of, path=None):
    for found in list_artifacts(of, path):
        if found.is_dir:
            yield from _files(client, list_artifacts, of, found.path)
        else:
            yield found.path


def test_parameters_metrics_tags_and_files_are_seen_by_a_fresh_client(tracker, fresh):
    with tracker.run(IDENTITY, {"data_digest": "abc"}) as run:
        run.log_params({"C": 0.5, "long": "x" * 9000, "odd (name)": 1, **{f"p{n}": n for n in range(120)}})
        run.log_metrics({"auc": 0.75, "odd (metric)": 1.0})
        run.log_json("facts/one.json", {"ä": 1})
        run.log_png("plots/a.png", b"\x89PNG")
        assert fresh.get_run(run.run_id).info.status == "RUNNING"
    found = fresh.get_run(run.run_id)
    assert found.info.status == "FINISHED"
    assert found.info.end_time >= found.info.start_time
    assert found.data.params["C"] == "0.5"
    assert found.data.params["p119"] == "119"
    assert found.data.params["long"] == "x" * 6000
    assert found.data.params["odd _name_"] == "1"
    assert found.data.metrics == {"auc": 0.75, "odd _metric_": 1.0}
    expected = {"team": "a", "data_digest": "abc", "dagster_run_id": "dagster-run", "partition": "2024-01"}
    assert expected.items() <= found.data.tags.items()
    assert set(_files(fresh, fresh.list_artifacts, run.run_id)) == {"facts/one.json", "plots/a.png"}


def test_tags_of_a_pipeline_cannot_change_what_the_run_is(tracker, fresh):
    with tracker.run(IDENTITY, {IDENTITY_TAG: "forged", "dagster_run_id": "forged"}) as run:
        pass
    tags = fresh.get_run(run.run_id).data.tags
    assert tags["dagster_run_id"] == "dagster-run"
    assert tags[IDENTITY_TAG] != "forged"


def test_secrets_are_not_logged_as_parameters(tracker, fresh):
    with tracker.run(IDENTITY, {}) as run:
        run.log_params({"api_key": "hunter2", "source": "postgresql://me:hunter2@db/x", "n": {"password": "hunter2"}})
    assert "hunter2" not in str(fresh.get_run(run.run_id).data.params)
    assert fresh.get_run(run.run_id).data.params["n.password"] == "***"


@pytest.mark.parametrize("stopped_by", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_exception_ends_the_run_failed_and_goes_on(tracker, fresh, stopped_by):
    with pytest.raises(stopped_by), tracker.run(IDENTITY, {}) as run:
        raise stopped_by
    assert fresh.get_run(run.run_id).info.status == "FAILED"


def test_a_generator_that_is_closed_while_it_holds_the_run_ends_it_failed(tracker, fresh):
    def step():
        with tracker.run(IDENTITY, {}) as run:
            yield run.run_id

    running = step()
    run_id = next(running)
    running.close()
    assert fresh.get_run(run_id).info.status == "FAILED"


def test_runs_in_two_threads_do_not_mix_and_nothing_global_is_left(tracker, fresh, in_threads, tmp_path, monkeypatch):
    import mlflow

    monkeypatch.chdir(tmp_path)
    before = (mlflow.get_tracking_uri(), mlflow.is_tracking_uri_set())

    def one(number):
        with tracker.run(RunIdentity("demo", "dagster-run", f"demo/model-{number}", None), {}) as run:
            for step in range(5):
                run.log_metrics({f"m{number}_{step}": float(number)})
            assert mlflow.active_run() is None
        return run.run_id

    for number, run_id in enumerate(in_threads(2, one)):
        assert fresh.get_run(run_id).data.metrics == {f"m{number}_{step}": float(number) for step in range(5)}
    assert mlflow.active_run() is None
    assert (mlflow.get_tracking_uri(), mlflow.is_tracking_uri_set()) == before
    assert not {"mlflow.db", "mlruns"} & {path.name for path in tmp_path.iterdir()}


def test_a_retry_reopens_the_same_run(tracker, fresh):
    with tracker.run(IDENTITY, {}) as first:
        first.log_params({"C": 1})
    fresh.set_terminated(first.run_id, "FAILED")
    with tracker.run(IDENTITY, {}) as second:
        second.log_params({"C": 1})
        assert fresh.get_run(first.run_id).info.status == "RUNNING"
    assert second.run_id == first.run_id
    assert [(run.info.run_id, run.info.status) for run in _runs(tracker, fresh)] == [(first.run_id, "FINISHED")]


def test_another_partition_is_another_run(tracker, fresh):
    for partition in ("2024-01", "2024-02", None):
        with tracker.run(RunIdentity("demo", "dagster-run", "demo/trained_model", partition), {}):
            pass
    assert len(_runs(tracker, fresh)) == 3


def test_a_lost_reply_leaves_one_run(tracker, fresh):
    """MLflow's HTTP layer repeats a request whose answer was lost, so that the server creates two runs."""
    from mlflow import MlflowClient

    create = MlflowClient.create_run

    def twice(client, *args, **kwargs):
        create(client, *args, **kwargs)
        return create(client, *args, **kwargs)

    with mock.patch.object(MlflowClient, "create_run", twice), tracker.run(IDENTITY, {}) as run:
        pass
    assert [found.info.run_id for found in _runs(tracker, fresh)] == [run.run_id]


def test_two_runs_open_at_once_do_not_mix_and_leave_nothing_active(tracker, fresh):
    import mlflow

    other = RunIdentity("demo", "dagster-run", "demo/other", None)
    before = mlflow.get_tracking_uri()
    with tracker.run(IDENTITY, {}) as one, tracker.run(other, {}) as two:
        one.log_metrics({"m": 1.0})
        two.log_metrics({"m": 2.0})
    assert fresh.get_run(one.run_id).data.metrics == {"m": 1.0}
    assert fresh.get_run(two.run_id).data.metrics == {"m": 2.0}
    assert mlflow.active_run() is None
    assert mlflow.get_tracking_uri() == before


@pytest.mark.parametrize("status", ["FINISHED", "FAILED"])
def test_a_resumed_run_keeps_its_status(tracker, fresh, status):
    with tracker.run(IDENTITY, {}) as run:
        pass
    fresh.set_terminated(run.run_id, status)
    with tracker.resume(run.run_id) as again:
        again.log_metrics({"holdout_auc": 0.9})
    found = fresh.get_run(run.run_id)
    assert (found.info.status, found.data.metrics) == (status, {"holdout_auc": 0.9})


def test_a_run_that_does_not_exist_cannot_be_resumed(tracker):
    with pytest.raises(TrackingError) as refused, tracker.resume("0" * 32):
        pass
    assert not isinstance(refused.value, TrackerUnavailableError)


def test_trials_in_batch_are_one_series_and_one_table_also_after_a_retry(tracker, fresh):
    for _ in range(2):
        with tracker.run(IDENTITY, {}) as run:
            run.log_trials(_best(trials=TRIALS), "batch")
    history = fresh.get_metric_history(run.run_id, "trial_value")
    assert sorted((point.step, point.value) for point in history) == [(0, 0.7), (2, 0.8)]
    assert "trials.json" in set(_files(fresh, fresh.list_artifacts, run.run_id))
    assert len(_runs(tracker, fresh)) == 1


def test_nested_trials_are_children_once_also_after_a_retry(tracker, fresh):
    for _ in range(2):
        with tracker.run(IDENTITY, {}) as run:
            run.log_trials(_best(trials=TRIALS), "nested")
    children = [r for r in _runs(tracker, fresh) if r.data.tags.get("mlflow.parentRunId") == run.run_id]
    states = sorted((c.data.params["C"], c.info.status, c.data.metrics.get("validation_roc_auc")) for c in children)
    kept = [("0.1", "FINISHED", 0.7), ("1.0", "FAILED", None), ("9.0", "FINISHED", 0.8), ("99.0", "KILLED", None)]
    assert states == kept


def test_a_nested_trial_that_was_cut_off_is_completed_by_the_retry(tracker, fresh):
    from mlflow import MlflowClient

    cut = mock.patch.object(MlflowClient, "log_batch", side_effect=KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt), tracker.run(IDENTITY, {}) as run, cut:
        run.log_trials(_best(trials=TRIALS[:1]), "nested")
    with tracker.run(IDENTITY, {}) as run:
        run.log_trials(_best(trials=TRIALS[:1]), "nested")
    children = [r for r in _runs(tracker, fresh) if "mlflow.parentRunId" in r.data.tags]
    assert [(c.info.status, c.data.metrics) for c in children] == [("FINISHED", {"validation_roc_auc": 0.7})]


def test_a_logged_model_predicts_the_same_through_mlflow_and_holds_no_pickle(tracker, fresh):
    import mlflow

    model, uri = _logged(tracker)
    model_id = uri.removeprefix("models:/")
    names = set(_files(fresh, fresh.list_logged_model_artifacts, model_id))
    assert {"bundle/model.skops", "bundle/manifest.json", "MLmodel", "requirements.txt"} <= names
    assert "input_example.json" in names
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".joblib", ".cloudpickle"))]
    location = fresh.get_logged_model(model_id).artifact_location
    path = mlflow.artifacts.download_artifacts(artifact_uri=location, tracking_uri=tracker.tracking_uri)
    loaded = mlflow.pyfunc.load_model(path)
    assert loaded.metadata.get_input_schema().input_names() == list(model.input_example.columns)
    features = _split().holdout.features
    np.testing.assert_array_equal(loaded.predict(features)["prediction"], model.estimator.predict(features))
    assert fresh.get_run(model.manifest.annotations["mlflow_run_id"]).outputs.model_outputs[0].model_id == model_id


def test_a_model_is_logged_once_however_often_its_step_is_retried(tracker):
    assert _logged(tracker)[1] == _logged(tracker)[1]


def test_the_requirements_are_those_of_the_manifest(tracker, fresh):
    model, uri = _logged(tracker)
    path = fresh.get_logged_model(uri.removeprefix("models:/")).artifact_location
    import mlflow

    local = mlflow.artifacts.download_artifacts(
        artifact_uri=f"{path}/requirements.txt", tracking_uri=tracker.tracking_uri
    )
    lines = Path(local).read_text().splitlines()
    assert f"scikit-learn=={model.manifest.library_versions['scikit-learn']}" in lines


def test_an_unknown_name_has_no_champion(registry):
    assert registry.champion("nobody") is None
    assert registry.current_champion("nobody") is None


def _named(tracker):
    return f"model-{tracker.experiment_prefix}-{tracker.tracking_uri[:4]}"


def test_registering_the_same_content_again_makes_no_second_version(tracker, registry, fresh):
    model, _ = _logged(tracker)
    name = _named(tracker)
    first = registry.register(name, PublishedModel.of(model), "# card")
    assert registry.register(name, PublishedModel.of(model), "# card, second") == first
    (version,) = fresh.search_model_versions(f"name = '{name}'")
    assert version.description == "# card, second"
    assert version.tags[DIGEST_TAG] == first.digest
    assert version.run_id == model.manifest.annotations["mlflow_run_id"]


def test_a_lost_reply_leaves_one_version(tracker, registry, fresh):
    from mlflow import MlflowClient

    create = MlflowClient.create_model_version

    def twice(client, *args, **kwargs):
        create(client, *args, **kwargs)
        return create(client, *args, **kwargs)

    model, _ = _logged(tracker)
    with mock.patch.object(MlflowClient, "create_model_version", twice):
        registered = registry.register(_named(tracker), PublishedModel.of(model), "# card")
    (version,) = fresh.search_model_versions(f"name = '{_named(tracker)}'")
    assert str(version.version) == registered.version


def test_promotion_moves_the_aliases(tracker, registry, fresh):
    name = _named(tracker)
    versions = []
    for number, strength in enumerate((0.1, 10.0)):
        identity = RunIdentity("demo", f"run-{number}", "demo/trained_model", None)
        model, _ = _logged(tracker, identity, C=strength)
        versions.append(_applied(registry, model, _called(name)).version)
    assert registry.champion(name).version == versions[1]
    assert str(fresh.get_model_version_by_alias(name, PREVIOUS).version) == versions[0]
    _applied(registry, model, _called(name))  # a retry
    assert str(fresh.get_model_version_by_alias(name, PREVIOUS).version) == versions[0]
    assert str(fresh.get_model_version_by_alias(name, CHAMPION).version) == versions[1]


def test_the_champion_is_loaded_from_the_registry_and_predicts_the_same(tracker, registry):
    model, _ = _logged(tracker)
    _applied(registry, model, _called(_named(tracker)))
    champion = registry.current_champion(_named(tracker)).model
    features = _split().holdout.features
    np.testing.assert_array_equal(champion.estimator.predict_proba(features), model.estimator.predict_proba(features))
    assert champion.manifest == model.manifest


def test_a_champion_whose_files_were_changed_is_refused(sqlite_uri, tmp_path):
    tracker = MlflowTracker(tracking_uri=sqlite_uri, artifact_root=str(tmp_path / "a"), experiment_prefix=tmp_path.name)
    registry = MlflowModelRegistry(tracking_uri=sqlite_uri, object_store=object_store_at(tmp_path / "store"))
    model, _ = _logged(tracker)
    _applied(registry, model, _called("changed-files"))
    (manifest,) = (tmp_path / "a").rglob("bundle/manifest.json")
    manifest.write_text(manifest.read_text().replace('"seed"', '"seed" '))
    with pytest.raises(DigestMismatchError):
        registry.current_champion("changed-files")


def test_a_decision_is_carried_out_once(tracker, registry):
    model, _ = _logged(tracker)
    spec = _called(_named(tracker))
    kept = _applied(registry, model, spec, "rejected_below_minimum")
    assert (kept.version, kept.previous_version) == (None, None)
    promoted = [_applied(registry, model, spec) for _ in range(2)]
    assert [record.version for record in promoted] == ["1", "1"]


def test_only_a_promotion_takes_the_champions_place(tracker, registry):
    spec = _called(_named(tracker))
    old, _ = _logged(tracker, C=0.1)
    new, _ = _logged(tracker, RunIdentity("demo", "later", "demo/trained_model", None), C=10.0)
    _applied(registry, old, spec)
    for verdict, expected in (
        ("kept_champion", ("1", None)),
        ("rejected_below_minimum", ("1", None)),
        ("promoted", ("2", "1")),
    ):
        record = _applied(registry, new, spec, verdict)
        assert (record.version, record.previous_version) == expected


def test_a_registered_model_without_the_alias_has_no_champion(tracker, registry):
    model, _ = _logged(tracker)
    registry.register(_named(tracker), PublishedModel.of(model), "# card")
    assert registry.champion(_named(tracker)) is None
    assert registry.current_champion(_named(tracker)) is None


def test_a_model_whose_logging_did_not_finish_is_logged_by_its_registration(tracker, registry, fresh):
    with tracker.run(IDENTITY, {}) as run:
        model = _trained().annotated(mlflow_run_id=run.run_id)
    fresh.create_logged_model(run.experiment_id, name="model", source_run_id=run.run_id)  # cut off: PENDING for ever
    _applied(registry, model, _called(_named(tracker)))
    (logged,) = fresh.search_logged_models([run.experiment_id])
    assert str(logged.status) == "READY"
    assert registry.current_champion(_named(tracker)).model.manifest == model.manifest


FAMILIES = [(str(task), name) for task in Task for name in family_names(task)]
ONE_OF_A_LIBRARY = (
    ("binary_classification", "lightgbm"),
    ("binary_classification", "xgboost"),
    ("multiclass_classification", "logistic_regression"),
    ("regression", "catboost"),
)


@pytest.mark.parametrize(
    ("task", "family"),
    [pytest.param(*each, marks=[] if each in ONE_OF_A_LIBRARY else [pytest.mark.full]) for each in FAMILIES],
)
def test_every_family_loads_through_mlflow(task, family, sqlite_uri, tmp_path):
    import mlflow

    trees = {"hist_gradient_boosting": "max_iter", "catboost": "iterations"}.get(family, "n_estimators")
    few = {trees: 4} if any(part in family for part in ("forest", "trees", "boost", "lightgbm")) else {}
    model = _trained(task, family, **few)
    tracker = MlflowTracker(tracking_uri=sqlite_uri, artifact_root=str(tmp_path), experiment_prefix=tmp_path.name)
    with tracker.run(IDENTITY, {}) as run:
        run.log_model(model)
    (flavour,) = tmp_path.rglob("MLmodel")
    features = _split(task).holdout.features
    loaded = mlflow.pyfunc.load_model(str(flavour.parent))
    np.testing.assert_array_equal(loaded.predict(features)["prediction"], model.estimator.predict(features))


def test_a_column_without_any_value_in_the_example_can_be_logged(sqlite_uri, tmp_path):
    model = _trained()
    model.input_example["colour"] = None
    tracker = MlflowTracker(tracking_uri=sqlite_uri, artifact_root=str(tmp_path), experiment_prefix=tmp_path.name)
    with tracker.run(IDENTITY, {}) as run:
        assert run.log_model(model).startswith("models:/")


def test_numbers_that_are_not_finite_do_not_stop_a_run(tracker, fresh):
    with tracker.run(IDENTITY, {}) as run:
        run.log_metrics({"auc": math.nan, "fine": 1.0})
    assert fresh.get_run(run.run_id).data.metrics["fine"] == 1.0
