"""Conditions inside the graph, on stand-ins for a pipeline's assets: what is requested in a row of ticks."""

import json
from dataclasses import dataclass

import dagster as dg
import pytest

from assay.specs import PipelineSpec
from ml_assets.pipeline.asset import Phase
from ml_assets.pipeline.automation import (
    ALARM_CHECKS,
    automation_sensor,
    rollbacks_key,
    rollbacks_of,
    when_champion_or_rows_changed,
    when_rows_passed,
    with_retraining,
)
from ml_assets.pipeline.partitions import check_of_partitions, partitions_of, window_mapping
from ml_assets.stages import names_in

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
}
CHECKS = {
    "validated_dataset": {"min_rows": True},
    "champion_model": {"beats_champion": False},
    **{asset: {check: False, "holds": False} for asset, check in ALARM_CHECKS.values()},
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
    return PipelineSpec.model_validate_json(json.dumps(document | parts))


def stand_in(spec, name, made=None):
    """An asset with the place in the graph, the partitions and the checks of the real one; makes what it is told."""
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


@dataclass
class World:
    spec: PipelineSpec
    instance: dg.DagsterInstance
    cursor: object = None
    version: int = 0
    partition: str | None = None

    @property
    def definitions(self):
        assets = with_retraining(self.spec, [stand_in(self.spec, name) for name in UPSTREAM], names_in(Phase.LEARNING))
        return dg.Definitions(assets=[*assets, rollbacks_of(self.spec)])

    def rolled_back(self):
        """Record a roll-back, as the job does."""
        self.instance.report_runless_asset_event(dg.AssetMaterialization(rollbacks_key("p")))

    def tick(self):
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


@pytest.fixture(params=[WHOLE, MONTHLY], ids=["whole", "monthly"])
def world(request):
    with dg.DagsterInstance.ephemeral() as instance:
        one = World(spec_of(request.param), instance, partition="2021-03" if request.param is MONTHLY else None)
        one.tick()
        yield one


def at(world, *names):
    return sorted(
        f"{name}@{world.partition}" if world.partition and name != "batch_predictions" else name for name in names
    )


REPORTS = ("drift_report", "performance_report")


def test_one_promotion_makes_one_run_of_predictions(world):
    world.made("champion_model", world.partition, beats_champion=True)
    world.made("validated_dataset", world.partition, min_rows=True)
    assert world.tick() == at(world, "batch_predictions", *REPORTS)
    assert [world.tick() for _ in range(4)] == [[]] * 4
    world.made("champion_model", world.partition, beats_champion=True)
    assert world.tick() == at(world, "batch_predictions")
    assert [world.tick() for _ in range(4)] == [[]] * 4


def test_one_roll_back_makes_one_run_of_predictions(world):
    world.made("champion_model", world.partition, beats_champion=True)
    world.made("validated_dataset", world.partition, min_rows=True)
    world.tick()
    world.rolled_back()
    assert world.tick() == ["batch_predictions"]
    assert [world.tick() for _ in range(4)] == [[]] * 4
    world.rolled_back()
    assert world.tick() == ["batch_predictions"]
    assert [world.tick() for _ in range(4)] == [[]] * 4


def test_predictions_after_a_roll_back_wait_for_rows_that_passed(world):
    world.made("validated_dataset", world.partition, min_rows=False)
    world.rolled_back()
    assert [world.tick() for _ in range(2)] == [[]] * 2
    world.made("validated_dataset", world.partition, min_rows=True)
    assert "batch_predictions" in world.tick()


def test_a_champion_that_was_kept_makes_no_predictions(world):
    world.made("champion_model", world.partition, beats_champion=True)
    world.made("validated_dataset", world.partition, min_rows=True)
    world.tick()
    world.made("champion_model", world.partition, beats_champion=False)
    assert [world.tick() for _ in range(3)] == [[]] * 3


def test_the_same_rows_again_start_nothing(world):
    world.made("validated_dataset", world.partition, min_rows=True)
    assert world.tick() == at(world, "batch_predictions", *REPORTS)
    world.made("validated_dataset", world.partition, same=True, min_rows=True)
    assert [world.tick() for _ in range(3)] == [[]] * 3


def test_a_failed_blocking_check_holds_everything_back(world):
    world.made("champion_model", world.partition, beats_champion=True)
    world.made("validated_dataset", world.partition, min_rows=False)
    world.made("drift_report", world.partition, no_drift_alarm_begins=False, holds=False)
    assert [world.tick() for _ in range(3)] == [[]] * 3
    world.made("validated_dataset", world.partition, min_rows=True)
    assert set(at(world, "batch_predictions", *REPORTS)) <= set(world.tick())


@pytest.mark.parametrize("alarm", sorted(ALARM_CHECKS))
def test_where_an_alarm_begins_the_learning_assets_run_once(world, alarm):
    asset, check = ALARM_CHECKS[alarm]
    for month in ("2021-01", "2021-02", "2021-03") if world.partition else (None,):
        world.made("validated_dataset", month, min_rows=True)
    world.tick()
    world.made(asset, world.partition, **{check: True, "holds": False})
    assert world.tick() == []
    world.made(asset, world.partition, **{check: False, "holds": False})
    assert world.tick() == at(world, *LEARNING)
    assert [world.tick() for _ in range(4)] == [[]] * 4
    world.made(asset, world.partition, **{check: False, "holds": False})
    assert [world.tick() for _ in range(2)] == [[]] * 2, "the same window again is the same alarm"
    world.made(asset, world.partition, **{check: True, "holds": False})
    assert world.tick() == []
    world.made(asset, world.partition, **{check: False, "holds": False})
    assert world.tick() == at(world, *LEARNING), "an alarm that ended is armed again"


def test_an_alarm_that_is_not_asked_for_trains_nothing():
    with dg.DagsterInstance.ephemeral() as instance:
        world = World(spec_of(WHOLE, automation={"retrain_on": ["drift"]}), instance)
        world.tick()
        world.made("validated_dataset", min_rows=True)
        world.tick()
        world.made("performance_report", no_performance_alarm_begins=False, holds=False)
        assert world.tick() == []


def test_alarms_of_the_past_are_not_answered_when_the_automation_is_switched_on():
    with dg.DagsterInstance.ephemeral() as instance:
        world = World(spec_of(WHOLE), instance)
        world.made("validated_dataset", min_rows=True)
        world.made("champion_model", beats_champion=True)
        world.made("drift_report", no_drift_alarm_begins=False, holds=False)
        assert [world.tick() for _ in range(3)] == [[]] * 3


def test_rows_right_after_a_request_are_not_lost(world):
    world.made("validated_dataset", world.partition, min_rows=True)
    assert world.tick() == at(world, "batch_predictions", *REPORTS)
    world.made("validated_dataset", world.partition, min_rows=True)
    assert world.tick() == at(world, "batch_predictions", *REPORTS)
    assert world.tick() == []


def test_champion_right_after_a_request_is_not_lost(world):
    world.made("validated_dataset", world.partition, min_rows=True)
    assert world.tick() == at(world, "batch_predictions", *REPORTS)
    world.made("champion_model", world.partition, beats_champion=True)
    assert world.tick() == at(world, "batch_predictions")
    assert world.tick() == []


def test_the_daemon_can_evaluate_every_condition():
    """Conditions of classes of our own would need the code server, which looks at 500 assets at most."""
    spec = spec_of(WHOLE)
    assets = with_retraining(spec, [stand_in(spec, name) for name in UPSTREAM], names_in(Phase.LEARNING))
    conditions = [one.automation_condition for asset in assets for one in asset.specs if one.automation_condition]
    assert len(conditions) == 7
    assert all(condition.is_serializable for condition in conditions)
    assert automation_sensor().default_status is dg.DefaultSensorStatus.RUNNING


def test_a_refused_partition_of_the_window_holds_training_back():
    with dg.DagsterInstance.ephemeral() as instance:
        world = World(spec_of(MONTHLY), instance)
        world.tick()
        for month, passed in (("2021-01", True), ("2021-02", False), ("2021-03", True)):
            world.made("validated_dataset", month, min_rows=passed)
        world.tick()
        world.made("drift_report", "2021-03", no_drift_alarm_begins=False, holds=False)
        assert [world.tick() for _ in range(2)] == [[]] * 2
        world.made("validated_dataset", "2021-02", min_rows=True)
        assert set(LEARNING) <= {name.split("@")[0] for name in world.tick()}
