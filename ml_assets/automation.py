"""When assets are made without being asked for: conditions on what they read, each true once for each change.

All hold back while a blocking check of what they read fails, so that refused rows start nothing.
Does not belong here: runs from source to promotion (`sensors`, `schedules`, `alarms`).
"""

from typing import TypeAlias

import dagster as dg

Condition: TypeAlias = dg.AutomationCondition[dg.AssetKey | dg.AssetCheckKey]


def when_rows_passed() -> Condition:
    """Once for every new version of the newest partition that passed the gate."""
    return dg.AutomationCondition.eager() & dg.AutomationCondition.all_deps_blocking_checks_passed()


def when_champion_or_rows_changed() -> Condition:
    """Once for every decision on a champion, and for new rows that passed; not while either is being made."""
    changed = (dg.AutomationCondition.newly_missing() | dg.AutomationCondition.any_deps_updated()).since_last_handled()
    return (
        changed
        & ~dg.AutomationCondition.any_deps_in_progress()
        & ~dg.AutomationCondition.in_progress()
        & dg.AutomationCondition.all_deps_blocking_checks_passed()
    )


def automation_sensor() -> dg.AutomationConditionSensorDefinition:
    """Return the sensor that evaluates the conditions of all pipelines."""
    return dg.AutomationConditionSensorDefinition(
        "automation_sensor", target=dg.AssetSelection.all(), default_status=dg.DefaultSensorStatus.RUNNING
    )
