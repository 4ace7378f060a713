"""The fixed list of rules: what each one says, and how strongly.

Every rule always exists, so that its name is a stable check name; one that a pipeline does not configure passes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

from assay.specs.validation import ValidationSpec

Severity: TypeAlias = Literal["ERROR", "WARN"]
NOT_CONFIGURED = "not configured"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the gate.

    Attributes:
        name: stable name, also the name of the check in the UI.
        description: the proposition that holds when the rule passes.
        blocking: whether a failure keeps the data from being published, unless the pipeline says otherwise.
    """

    name: str
    description: str
    blocking: bool = True


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        name: Rule(name, description)
        for name, description in (
            ("row_count_in_range", "The number of rows lies between min_rows and max_rows."),
            ("columns_present", "Every column that the pipeline names exists."),
            ("dtypes_as_declared", "Every column has its declared type."),
            ("missing_share_below_maximum", "No column has a larger share of missing values than allowed."),
            ("no_missing_target", "Every row has a target."),
            ("columns_not_null", "Columns declared not null have no missing value."),
            ("rows_unique_by_key", "No two rows share a key; a missing part of a key equals a missing part."),
            ("values_in_range", "Every value lies inside its column's bounds and is finite."),
            ("values_allowed", "Every value is one of its column's allowed values."),
            ("custom_rules_hold", "Every rule of the user's own holds."),
            ("target_learnable", "The target has classes, or a spread of numbers, that the task can be learned from."),
            ("values_match_pattern", "Every text matches its column's regular expression."),
            ("values_finite", "No number is infinite, or NaN stored as a value."),
            ("expressions_hold", "No row breaks a SQL expression."),
            ("conditions_hold", "Where a condition holds, what must follow from it does."),
            ("data_is_fresh", "The newest row is young enough, and none lies in the future."),
            ("pandera_schema_holds", "The user's own pandera schema holds."),
            ("no_target_leakage", "No feature is a copy of the target, or gives it away by being missing."),
        )
    }
    | {
        name: Rule(name, description, blocking=False)
        for name, description in (
            ("distributions_as_reference", "No column's distribution lies far from that of data which passed before."),
            ("no_suspected_leakage", "No feature predicts the target too well to be known before it."),
            ("no_future_timestamps", "No time lies after the moment as of which the data is judged."),
            ("no_identifier_features", "No feature numbers or names single rows."),
            ("rows_not_repeated", "Few rows repeat another in every feature and the target."),
            ("groups_not_split", "No identifier's rows stand on both sides of a random split."),
            ("features_vary", "No feature is constant or empty."),
            ("classes_large_enough", "Every class has rows enough to be learned and judged."),
            ("categories_few_enough", "Categories repeat: there are not nearly as many as rows."),
        )
    }
)
RULE_NAMES: tuple[str, ...] = tuple(RULES)


def blocks(rule: Rule, spec: ValidationSpec) -> bool:
    """Whether a rule's failure keeps this pipeline's data from being published."""
    return rule.name in spec.block or (rule.blocking and rule.name not in spec.warn)


def severity_of(rule: Rule, spec: ValidationSpec) -> Severity:
    """Return how this pipeline shows a failure of a rule."""
    return "ERROR" if blocks(rule, spec) else "WARN"
