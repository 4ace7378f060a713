"""Automation conditions: when predictions and reports are made, and when an alarm retrains.

Dagster's daemon evaluates the conditions over events. They are edge-triggered: each event is handled once, and a
persisting state does not trigger again. A training that an alarm asks for is an event because its check fails in one
window only, the one whose training rows hold the alarm's window (`assay.monitoring.alarms`); later windows pass it,
until the alarm begins again. Nothing is requested for rows whose blocking checks have not passed.
"""

import operator
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import Any, TypeAlias

import dagster as dg

from assay.live.label_versions import labels_of
from assay.specs import PipelineSpec
from assay.specs.references import FEATURE_SET, Reference
from ml_assets.pipeline.run_context import asset_key

RETRY_CHECK = "no_longer_search_begins"
"""Of `evaluation_report`: fails where a missed minimum starts one longer search."""
Condition: TypeAlias = dg.AutomationCondition[Any]
AlarmChecks: TypeAlias = Mapping[str, tuple[str, str]]
"""By the name of an alarm in `automation.retrain_on`: the asset, and its check that fails where a training is due."""

_DAILY = "30 3 * * *"
_PASSED: Condition = dg.AutomationCondition.all_checks_match(dg.AutomationCondition.check_passed(), blocking_only=True)


def when_champion_or_rows_changed(spec: PipelineSpec) -> Condition:
    """Return when `batch_predictions` are made: once for each promotion, roll-back and version of validated rows."""
    changes, updated = champion_changes_key(spec.name), dg.AutomationCondition.newly_updated()
    changed = dg.AutomationCondition.asset_matches(changes, updated).with_label("another champion")
    return _once(spec, changed | _new_rows(spec))


def when_rows_passed(spec: PipelineSpec) -> Condition:
    """Return when a monitoring report is made: once for each version of validated rows, after its run."""
    return _once(spec, _new_rows(spec))


def once_a_day() -> Condition:
    """Return when what was served is judged: after each midnight, UTC, unless a run does so already."""
    tick = dg.AutomationCondition.cron_tick_passed(_DAILY, "UTC")
    return (_unhandled(tick) & ~dg.AutomationCondition.in_progress()).with_label("once a day")


def when_labels_may_be_new(spec: PipelineSpec) -> Condition:
    """Return when labels are read: once a day, and of an asset also for each of its versions; never before it is made.

    Once a day even where an asset is the same, since served rows become older than the delay.
    """
    reference = labels_of(spec).dataset.reference
    if reference is None:
        return once_a_day()
    is_made = dg.AutomationCondition.asset_matches(dg.AssetKey(reference.key), ~dg.AutomationCondition.missing())
    return (once_a_day() & is_made.with_label("there are labels")) | _new_rows_of(reference)


def when_updated(spec: PipelineSpec, name: str) -> Condition:
    """Return when an asset follows another one of its pipeline: once for each of its versions."""
    event = dg.AutomationCondition.asset_matches(asset_key(spec, name), dg.AutomationCondition.newly_updated())
    return (_unhandled(event) & ~dg.AutomationCondition.in_progress()).with_label(f"new {name}")


def champion_changes_key(pipeline: str) -> dg.AssetKey:
    """Return the key under which changes of the champion are recorded.

    `<pipeline>/*` does not select it, as no run can make it. Earlier versions recorded roll-backs alone.
    """
    return dg.AssetKey(["champion_rollbacks", pipeline])


def champion_changes_of(spec: PipelineSpec) -> dg.AssetSpec:
    """Return the asset that records promotions, approvals and roll-backs, for conditions that depend on them.

    Most versions of `champion_model` keep the champion, a roll-back is no version of it, and conditions do not see
    observations.
    """
    return dg.AssetSpec(
        champion_changes_key(spec.name),
        group_name=spec.name,
        description="Promotions, approvals and roll-backs of the champion; predictions follow each.",
        tags={"pipeline": spec.name},
    )


def with_retraining(
    spec: PipelineSpec, assets: list[dg.AssetsDefinition], learning: Sequence[str], alarms: AlarmChecks
) -> list[dg.AssetsDefinition]:
    """Return the assets with conditions that train once where an alarm of `automation.retrain_on` is to be answered.

    A missed minimum is such an event under `promotion.below_minimum: retry`.
    """
    checks = [alarms[name] for name in spec.automation.retrain_on if name in alarms]
    if spec.promotion.below_minimum == "retry":
        checks.append(("evaluation_report", RETRY_CHECK))
    if not checks:
        return assets
    first, *later = keys = [asset_key(spec, name) for name in learning]
    return _also_on(assets, {first: _training_due(spec, checks)} | dict.fromkeys(later, _with_upstream(keys)))


def with_new_rows_of_source(
    spec: PipelineSpec, assets: list[dg.AssetsDefinition], names: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """Return the assets with conditions that make some of them once for each new version of a source that is an asset.

    Args:
        spec: the pipeline; `new_data` in its automation asks for it.
        assets: of the pipeline.
        names: of those that are made, upstream first.
    """
    reference = spec.dataset.reference
    if reference is None or not spec.automation.scans_source:
        return assets
    return _also_on(assets, _with_new_rows(_new_rows_of(reference), [asset_key(spec, name) for name in names]))


def with_new_rows_of_joined(
    spec: PipelineSpec, assets: list[dg.AssetsDefinition], names: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """Return the assets with conditions that make a feature set again for each new version of an asset that it joins.

    Args:
        spec: the pipeline; `joined_data` in its automation asks for it.
        assets: of the pipeline.
        names: of those that are made, upstream first.
    """
    if not spec.automation.watches_joined:
        return assets
    keys = [asset_key(spec, name) for name in names]
    keys = keys[keys.index(asset_key(spec, FEATURE_SET)) :]
    for joined in spec.watched_sources:
        reference = joined.dataset.reference
        if reference is not None:
            # a feature set that was not made reads the newest rows when it is
            due = _new_rows_of(reference) & ~dg.AutomationCondition.missing()
            if not reference.is_feature_set and spec.automation.joined_partitions == "newest":
                due &= dg.AutomationCondition.in_latest_time_window()  # the asset may be the same for all partitions
            assets = _also_on(assets, _with_new_rows(due, keys))
    return assets


def _with_new_rows(due: Condition, keys: Sequence[dg.AssetKey]) -> dict[dg.AssetKey, Condition]:
    """Return the conditions of assets of which the first is due, and the others with it."""
    first, *later = keys
    # of the same partition alone: windows of later models hold it, too
    with_it = dg.AutomationCondition.asset_matches(first, dg.AutomationCondition.will_be_requested())
    return {first: due} | dict.fromkeys(later, with_it)


def _new_rows_of(reference: Reference) -> Condition:
    """Return when an asset has new rows that passed, which were not handled yet, and no run is at work on them."""
    source = dg.AssetKey(reference.key)
    changed = (
        dg.AutomationCondition.data_version_changed()
        if reference.is_feature_set
        else dg.AutomationCondition.newly_updated()
    )
    event = dg.AutomationCondition.asset_matches(source, changed).with_label("new rows of the source")
    passed = dg.AutomationCondition.asset_matches(source, _PASSED).with_label("blocking checks passed")
    busy = dg.AutomationCondition.asset_matches(source, dg.AutomationCondition.in_progress())
    return _unhandled(event) & passed & ~busy & ~dg.AutomationCondition.in_progress()


def _also_on(
    assets: Sequence[dg.AssetsDefinition], conditions: Mapping[dg.AssetKey, Condition]
) -> list[dg.AssetsDefinition]:
    """Return the assets with further conditions, beside those that some of them have."""

    def also(one: dg.AssetSpec) -> dg.AssetSpec:
        further, own = conditions.get(one.key), one.automation_condition
        if further is None:
            return one
        return one.replace_attributes(automation_condition=further if own is None else own | further)

    return [each.map_asset_specs(also) for each in assets]


def automation_sensor() -> dg.AutomationConditionSensorDefinition:
    """Return the sensor that evaluates the conditions of all pipelines."""
    return dg.AutomationConditionSensorDefinition(
        "automation_sensor", target=dg.AssetSelection.all(), default_status=dg.DefaultSensorStatus.RUNNING
    )


def _once(spec: PipelineSpec, event: Condition) -> Condition:
    """Return the condition that handles an event once: its rows have passed, and no run may still change its inputs."""
    busy = _any_of(
        dg.AutomationCondition.asset_matches(asset_key(spec, name), dg.AutomationCondition.in_progress())
        for name in ("validated_dataset", "champion_model")
    )
    passed = dg.AutomationCondition.asset_matches(asset_key(spec, "validated_dataset"), _PASSED)
    return (
        _unhandled(event) & passed.with_label("blocking checks passed") & ~busy & ~dg.AutomationCondition.in_progress()
    )


def _unhandled(event: Condition) -> Condition:
    # `since_last_handled` loses an event between a request and the next evaluation, and one during the requested run
    handled = dg.AutomationCondition.newly_requested() & ~event
    return event.since(handled | dg.AutomationCondition.initial_evaluation())


def _new_rows(spec: PipelineSpec) -> Condition:
    validated = asset_key(spec, "validated_dataset")
    return dg.AutomationCondition.asset_matches(validated, dg.AutomationCondition.data_version_changed()).with_label(
        "new validated rows"
    )


def _training_due(spec: PipelineSpec, checks: Iterable[tuple[str, str]]) -> Condition:
    whole_window_passed = ~dg.AutomationCondition.asset_matches(asset_key(spec, "validated_dataset"), ~_PASSED)
    return _once(spec, _any_of(_newly_failed(spec, *each) for each in checks)) & whole_window_passed


def _newly_failed(spec: PipelineSpec, asset: str, check: str) -> Condition:
    key = asset_key(spec, asset)
    only = dg.AssetSelection.checks(dg.AssetCheckKey(key, check))
    return dg.AutomationCondition.asset_matches(
        key, dg.AutomationCondition.any_checks_match(dg.AutomationCondition.check_failed().newly_true()).allow(only)
    )


def _with_upstream(learning: Sequence[dg.AssetKey]) -> Condition:
    own = dg.AssetSelection.assets(*learning)
    return dg.AutomationCondition.any_deps_match(dg.AutomationCondition.will_be_requested()).allow(own)


def _any_of(conditions: Iterable[Condition]) -> Condition:
    return reduce(operator.or_, conditions)
