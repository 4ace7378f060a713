"""Conditions inside the graph, on stand-ins for a pipeline's assets: what is requested in successive evaluations."""

import json
from dataclasses import dataclass

import dagster as dg
import pytest

from assay.specs import PipelineSpec
from ml_assets.pipeline.asset import Phase
from ml_assets.pipeline.automation import (
    RETRY_CHECK,
    automation_sensor,
    champion_changes_key,
    champion_changes_of,
    when_champion_or_rows_changed,
    when_rows_passed,
    with_retraining,
)
from ml_assets.pipeline.partitions import check_of_partitions, partitions_of, window_mapping
from ml_assets.stages import names_in, training_checks

ALARMS = training_checks() | {"toy": ("toy_report", "no_training_due_by_toy")}
LEARNING = sorted(names_in(Phase.LEARNING))
WHOLE = {"source": "in/*.csv", "target": "y"}
MONTHLY = WHOLE | {"partitions": {"by": "month", "column": "day", "start": "2021-01", "end": "2021-07"}}
UPSTREAM = {
    "raw_dataset": [],
    "validated_dataset": ["raw_dataset"],
    "best_hyperparameters": ["validated_dataset"],
    "trained_model": ["validated_dataset", "best_hyperparameters"],
    "evaluation_report": ["validated_dataset", "trained_model"],
    "champion_model": ["validated_dataset", "trained_model", "evaluation_report"],
    "batch_predictions": ["validated_dataset", "champion_model"],
    "drift_report": ["validated_dataset"],
    "performance_report": ["validated_dataset"],
    "toy_report": ["validated_dataset"],
}
CHECKS = {
    "validated_dataset": {"min_rows": True},
    "champion_model": {"better_model_is_champion": False},
    **{asset: {check: False, "holds": False} for asset, check in ALARMS.values()},
}


def spec_of(dataset, **parts):
    document = {
        "name": "p",
        "task": "regression",
        "dataset": dataset,
        "split": {"by": "time", "train_partitions": 2} if dataset is MONTHLY else {"by": "random"},
        "monitoring": {"performance": {"max_loss": 0.1}},
        "automation": {"retrain_on": ["drift", "performance"]},
    }
    spec = PipelineSpec.model_validate_json(json.dumps(document | parts))
    if parts:
        return spec
    alarms = spec.automation.model_copy(update={"retrain_on": tuple(ALARMS)})  # the toy is no name of a pipeline file
    return spec.model_copy(update={"automation": alarms})


def stand_in(spec, name, made=None):
    """An asset with the place in the graph, the partitions and the checks of the real one; makes the given version and check results."""
    key = dg.AssetKey([spec.name, name])
    conditions = {
        "batch_predictions": when_champion_or_rows_changed,
        "drift_report": when_rows_passed,
        "performance_report": when_rows_passed,
    }
    whole = name == "batch_predictions"
    mapping = {"validated_dataset": window_mapping(spec)} if name in LEARNING else {}
    if whole:
        mapping = dict.fromkeys(UPSTREAM[name], dg.AllPartitionMapping())

    @dg.asset(
        key=key,
        deps=[dg.AssetDep([spec.name, up], partition_mapping=mapping.get(up)) for up in UPSTREAM[name]],
        partitions_def=None if whole else partitions_of(spec),
        backfill_policy=dg.BackfillPolicy.single_run(),
        automation_condition=conditions[name](spec) if name in conditions else None,
        check_specs=[
            check_of_partitions(spec, check, key, blocking=blocking) for check, blocking in CHECKS.get(name, {}).items()
        ],
    )
    def body():
        version, checks = made
        results = [
            dg.AssetCheckResult(check_name=check, passed=passed, severity=_severity(name, check))
            for check, passed in checks.items()
        ]
        return dg.MaterializeResult(data_version=dg.DataVersion(str(version)), check_results=results)

    return body


def _severity(name, check):
    return dg.AssetCheckSeverity.ERROR if CHECKS[name][check] else dg.AssetCheckSeverity.WARN


def conditioned(spec):
    return with_retraining(spec, [stand_in(spec, name) for name in UPSTREAM], names_in(Phase.LEARNING), ALARMS)


@dataclass
class World:
    spec: PipelineSpec
    instance: dg.DagsterInstance
    cursor: object = None
    version: int = 0
    partition: str | None = None

    @property
    def definitions(self):
        assets = conditioned(self.spec)
        return dg.Definitions(assets=[*assets, champion_changes_of(self.spec)])

    def promoted(self):
        """Make a champion, and record that it is another one, as the step does."""
        self.made("champion_model", self.partition, better_model_is_champion=True)
        self.changed()

    def changed(self):
        """Record another champion, as the job of a roll-back does."""
        self.instance.report_runless_asset_event(dg.AssetMaterialization(champion_changes_key("p")))

    def evaluate(self):
        """Return what is requested, as `name` or `name@partition`."""
        result = dg.evaluate_automation_conditions(defs=self.definitions, instance=self.instance, cursor=self.cursor)
        self.cursor = result.cursor
        requested = []
        for one in result.results:
            subset = one.true_subset
            if subset.is_empty:
                continue
            name = one.key.path[-1]
            keys = subset.expensively_compute_partition_keys() if subset.is_partitioned else [None]
            requested += [name if key is None else f"{name}@{key}" for key in keys]
        return sorted(requested)

    def made(self, name, partition=None, *, same=False, **checks):
        """Make a new version of an asset with these results of its checks."""
        self.version += not same
        asset = stand_in(self.spec, name, (self.version, checks))
        dg.materialize([asset], instance=self.instance, partition_key=partition, raise_on_error=False)


@pytest.fixture(params=[pytest.param(WHOLE, marks=pytest.mark.full), MONTHLY], ids=["whole", "monthly"])
def world(request):
    with dg.DagsterInstance.ephemeral() as instance:
        one = World(spec_of(request.param), instance, partition="2021-03" if request.param is MONTHLY else None)
        one.evaluate()
        yield one


def at(world, *names):
    return sorted(
        f"{name}@{world.partition}" if world.partition and name != "batch_predictions" else name for name in names
    )


REPORTS = ("drift_report", "performance_report")


def test_one_promotion_makes_one_run_of_predictions(world):
    world.promoted()
    world.made("validated_dataset", world.partition, min_rows=True)
    assert world.evaluate() == at(world, "batch_predictions", *REPORTS)
    assert [world.evaluate() for _ in range(4)] == [[]] * 4
    world.promoted()
    assert world.evaluate() == at(world, "batch_predictions")
    assert [world.evaluate() for _ in range(4)] == [[]] * 4


def test_one_roll_back_makes_one_run_of_predictions(world):
    world.promoted()
    world.made("validated_dataset", world.partition, min_rows=True)
    world.evaluate()
    world.changed()
    assert world.evaluate() == ["batch_predictions"]
    assert [world.evaluate() for _ in range(4)] == [[]] * 4
    world.changed()
    assert world.evaluate() == ["batch_predictions"]
    assert [world.evaluate() for _ in range(4)] == [[]] * 4


def test_predictions_after_a_roll_back_wait_for_rows_that_passed(world):
    world.made("validated_dataset", world.partition, min_rows=False)
    world.changed()
    assert [world.evaluate() for _ in range(2)] == [[]] * 2
    world.made("validated_dataset", world.partition, min_rows=True)
    assert "batch_predictions" in world.evaluate()


def test_a_champion_that_was_kept_makes_no_predictions(world):
    world.promoted()
    world.made("validated_dataset", world.partition, min_rows=True)
    world.evaluate()
    world.made("champion_model", world.partition, better_model_is_champion=True)
    assert [world.evaluate() for _ in range(3)] == [[]] * 3


def test_the_same_rows_again_start_nothing(world):
    world.made("validated_dataset", world.partition, min_rows=True)
    assert world.evaluate() == at(world, "batch_predictions", *REPORTS)
    world.made("validated_dataset", world.partition, same=True, min_rows=True)
    assert [world.evaluate() for _ in range(3)] == [[]] * 3


def test_a_failed_blocking_check_holds_everything_back(world):
    world.promoted()
    world.made("validated_dataset", world.partition, min_rows=False)
    world.made("drift_report", world.partition, no_training_due_by_drift=False, holds=False)
    assert [world.evaluate() for _ in range(3)] == [[]] * 3
    world.made("validated_dataset", world.partition, min_rows=True)
    assert set(at(world, "batch_predictions", *REPORTS)) <= set(world.evaluate())


@pytest.mark.parametrize(
    "alarm", ["drift", *(pytest.param(each, marks=pytest.mark.full) for each in sorted(ALARMS) if each != "drift")]
)
def test_where_an_alarm_is_to_be_answered_the_learning_assets_run_once(world, alarm):
    asset, check = ALARMS[alarm]
    for month in ("2021-01", "2021-02", "2021-03") if world.partition else (None,):
        world.made("validated_dataset", month, min_rows=True)
    world.evaluate()
    world.made(asset, world.partition, **{check: True, "holds": False})
    assert world.evaluate() == []
    world.made(asset, world.partition, **{check: False, "holds": False})
    assert world.evaluate() == at(world, *LEARNING)
    assert [world.evaluate() for _ in range(4)] == [[]] * 4
    world.made(asset, world.partition, **{check: False, "holds": False})
    assert [world.evaluate() for _ in range(2)] == [[]] * 2, "the same window again is the same alarm"
    world.made(asset, world.partition, **{check: True, "holds": False})
    assert world.evaluate() == []
    world.made(asset, world.partition, **{check: False, "holds": False})
    assert world.evaluate() == at(world, *LEARNING), "an alarm that ended is armed again"


@pytest.mark.parametrize("dataset", [WHOLE, pytest.param(MONTHLY, marks=pytest.mark.full)], ids=["whole", "monthly"])
def test_a_missed_minimum_trains_once_more_and_never_again(dataset, monkeypatch):
    monkeypatch.setitem(CHECKS, "evaluation_report", {RETRY_CHECK: False})
    with dg.DagsterInstance.ephemeral() as instance:
        spec = spec_of(dataset, promotion={"below_minimum": "retry"}, automation={"retrain_on": []})
        world = World(spec, instance, partition="2021-03" if dataset is MONTHLY else None)
        world.evaluate()
        for month in ("2021-01", "2021-02", "2021-03") if world.partition else (None,):
            world.made("validated_dataset", month, min_rows=True)
        world.evaluate()
        world.made("evaluation_report", world.partition, **{RETRY_CHECK: False})
        assert world.evaluate() == at(world, *LEARNING)
        assert world.evaluate() == []
        for name in LEARNING:
            world.made(name, world.partition, **({RETRY_CHECK: True} if name == "evaluation_report" else {}))
        assert [world.evaluate() for _ in range(3)] == [[]] * 3


def test_an_alarm_that_is_not_asked_for_trains_nothing():
    with dg.DagsterInstance.ephemeral() as instance:
        world = World(spec_of(WHOLE, automation={"retrain_on": ["drift"]}), instance)
        world.evaluate()
        world.made("validated_dataset", min_rows=True)
        world.evaluate()
        world.made("performance_report", no_training_due_by_performance=False, holds=False)
        assert world.evaluate() == []


def test_past_alarms_are_not_handled_when_the_automation_is_switched_on():
    with dg.DagsterInstance.ephemeral() as instance:
        world = World(spec_of(WHOLE), instance)
        world.made("validated_dataset", min_rows=True)
        world.promoted()
        world.made("drift_report", no_training_due_by_drift=False, holds=False)
        assert [world.evaluate() for _ in range(3)] == [[]] * 3


def test_rows_right_after_a_request_are_not_lost(world):
    world.made("validated_dataset", world.partition, min_rows=True)
    assert world.evaluate() == at(world, "batch_predictions", *REPORTS)
    world.made("validated_dataset", world.partition, min_rows=True)
    assert world.evaluate() == at(world, "batch_predictions", *REPORTS)
    assert world.evaluate() == []


def test_champion_right_after_a_request_is_not_lost(world):
    world.made("validated_dataset", world.partition, min_rows=True)
    assert world.evaluate() == at(world, "batch_predictions", *REPORTS)
    world.promoted()
    assert world.evaluate() == at(world, "batch_predictions")
    assert world.evaluate() == []


def test_the_daemon_can_evaluate_every_condition():
    """Conditions of our own classes would need the code server, which evaluates 500 assets at most."""
    spec = spec_of(WHOLE)
    assets = conditioned(spec)
    conditions = [one.automation_condition for asset in assets for one in asset.specs if one.automation_condition]
    assert len(conditions) == 7
    assert all(condition.is_serializable for condition in conditions)
    assert automation_sensor().default_status is dg.DefaultSensorStatus.RUNNING


def test_a_refused_partition_of_the_window_holds_training_back():
    with dg.DagsterInstance.ephemeral() as instance:
        world = World(spec_of(MONTHLY), instance)
        world.evaluate()
        for month, passed in (("2021-01", True), ("2021-02", False), ("2021-03", True)):
            world.made("validated_dataset", month, min_rows=passed)
        world.evaluate()
        world.made("drift_report", "2021-03", no_training_due_by_drift=False, holds=False)
        assert [world.evaluate() for _ in range(2)] == [[]] * 2
        world.made("validated_dataset", "2021-02", min_rows=True)
        assert set(LEARNING) <= {name.split("@")[0] for name in world.evaluate()}
