"""What starts inside the graph by itself: predictions, reports of monitoring, and training after an alarm.

All of it is declared as conditions, which Dagster's daemon evaluates over events. Every condition starts from an event
and remembers that it was answered, so that a state that lasts starts nothing again. An alarm is such an event through a
check that fails in one window only, the first of the alarm (`ALARM_CHECKS`): windows in which the alarm merely goes on
pass it, and so does the first window of a new champion. Nothing starts on data whose blocking checks have not passed.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import dagster as dg

from assay.specs import PipelineSpec
from ml_assets.pipeline.run_context import asset_key

Condition: TypeAlias = dg.AutomationCondition[Any]

ALARM_CHECKS = {
    "drift": ("drift_report", "no_drift_alarm_begins"),
    "performance": ("performance_report", "no_performance_alarm_begins"),
}
"""By the name of the alarm in `automation.retrain_on`: the asset, and the check that fails where an alarm begins."""
_PASSED: Condition = dg.AutomationCondition.all_checks_match(dg.AutomationCondition.check_passed(), blocking_only=True)


def when_champion_or_rows_changed(spec: PipelineSpec) -> Condition:
    """Return when `batch_predictions` are made: once for each promotion, roll-back and version of validated rows."""
    champion = asset_key(spec, "champion_model")
    beats = dg.AssetSelection.checks(dg.AssetCheckKey(champion, "beats_champion"))
    promoted = dg.AutomationCondition.newly_updated() & dg.AutomationCondition.any_checks_match(
        dg.AutomationCondition.check_passed()
    ).allow(beats)
    new_champion = dg.AutomationCondition.asset_matches(champion, promoted).with_label("new champion")
    rolled_back = dg.AutomationCondition.asset_matches(rollbacks_key(spec.name), dg.AutomationCondition.newly_updated())
    return _settled(spec, new_champion | rolled_back.with_label("champion rolled back") | _new_rows(spec))


def rollbacks_key(pipeline: str) -> dg.AssetKey:
    """Return the key below which roll-backs are recorded; no `<pipeline>/*` holds it, as no run can make one."""
    return dg.AssetKey(["champion_rollbacks", pipeline])


def rollbacks_of(spec: PipelineSpec) -> dg.AssetSpec:
    """Return the asset that stands for the roll-backs of a champion whose predictions follow it.

    `champion_model` keeps the record of its last decision: a roll-back is none of its versions, and conditions see
    no observations.
    """
    return dg.AssetSpec(
        rollbacks_key(spec.name),
        group_name=spec.name,
        description="Roll-backs of the champion, by champion_rollback_job; predictions follow each.",
        tags={"pipeline": spec.name},
    )


def when_rows_passed(spec: PipelineSpec) -> Condition:
    """Return when a report of monitoring is made: once for each version of validated rows, after its run."""
    return _settled(spec, _new_rows(spec))


def with_retraining(
    spec: PipelineSpec, assets: list[dg.AssetsDefinition], learning: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """Return the assets with conditions on the learning ones, that train once where an alarm begins.

    Args:
        spec: the pipeline; `automation.retrain_on` names the alarms.
        assets: its assets; others than the learning ones stay as they are.
        learning: names of the assets that an alarm retrains, upstream first.
    """
    alarms = [name for name in spec.automation.retrain_on if name in ALARM_CHECKS]
    if not alarms:
        return assets
    first, *later = keys = [asset_key(spec, name) for name in learning]
    conditions = {first: _alarm_begins(spec, alarms)} | dict.fromkeys(later, _with_upstream(keys))
    return [
        each.map_asset_specs(
            lambda one: one.replace_attributes(automation_condition=conditions.get(one.key, one.automation_condition))
        )
        for each in assets
    ]


def automation_sensor() -> dg.AutomationConditionSensorDefinition:
    """Return the sensor that evaluates the conditions of all pipelines."""
    return dg.AutomationConditionSensorDefinition(
        "automation_sensor", target=dg.AssetSelection.all(), default_status=dg.DefaultSensorStatus.RUNNING
    )


def _new_rows(spec: PipelineSpec) -> Condition:
    validated = asset_key(spec, "validated_dataset")
    return dg.AutomationCondition.asset_matches(validated, dg.AutomationCondition.data_version_changed()).with_label(
        "new validated rows"
    )


def _settled(spec: PipelineSpec, event: Condition) -> Condition:
    """Return the event, once its rows have passed and no run is under way that may yet change rows or champion."""
    busy = [
        dg.AutomationCondition.asset_matches(asset_key(spec, name), dg.AutomationCondition.in_progress())
        for name in ("validated_dataset", "champion_model")
    ]
    return (
        _unanswered(event)
        & _blocking_checks_passed(spec)
        & ~(busy[0] | busy[1])
        & ~dg.AutomationCondition.in_progress()
    )


def _unanswered(event: Condition) -> Condition:
    # `since_last_handled` forgets an event between a request and the tick after it, and one during the requested run
    answered = dg.AutomationCondition.newly_requested() & ~event
    return event.since(answered | dg.AutomationCondition.initial_evaluation())


def _blocking_checks_passed(spec: PipelineSpec) -> Condition:
    return dg.AutomationCondition.asset_matches(asset_key(spec, "validated_dataset"), _PASSED).with_label(
        "blocking checks passed"
    )


def _whole_window_passed(spec: PipelineSpec) -> Condition:
    return ~dg.AutomationCondition.asset_matches(asset_key(spec, "validated_dataset"), ~_PASSED)


def _alarm_begins(spec: PipelineSpec, alarms: Sequence[str]) -> Condition:
    begins = [_fails_newly(spec, *ALARM_CHECKS[name]) for name in alarms]
    any_begins = begins[0] if len(begins) == 1 else begins[0] | begins[1]
    return _settled(spec, any_begins) & _whole_window_passed(spec)


def _fails_newly(spec: PipelineSpec, asset: str, check: str) -> Condition:
    key = asset_key(spec, asset)
    only = dg.AssetSelection.checks(dg.AssetCheckKey(key, check))
    return dg.AutomationCondition.asset_matches(
        key, dg.AutomationCondition.any_checks_match(dg.AutomationCondition.check_failed().newly_true()).allow(only)
    )


def _with_upstream(learning: Sequence[dg.AssetKey]) -> Condition:
    own = dg.AssetSelection.assets(*learning)
    return dg.AutomationCondition.any_deps_match(dg.AutomationCondition.will_be_requested()).allow(own)
