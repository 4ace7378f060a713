"""The rules of the gate, declared once: name, proposition, severity, and what configures each.

The functions that check rows stand in `assay.gate`, registered under these names. Names in `validation.warn` and
`validation.block`, asset checks, reports and both JSON Schemas derive from this table.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from assay.errors import did_you_mean

if TYPE_CHECKING:
    from assay.specs.pipeline import PipelineSpec
    from assay.specs.validation import ValidationSpec

Severity: TypeAlias = Literal["ERROR", "WARN"]


def _always(_: "PipelineSpec") -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the gate.

    Attributes:
        name: stable name, also of the asset check.
        text: the proposition that holds when the rule passes.
        configured: whether a pipeline asks for the rule, and the rule applies to its task and split.
        severity: `ERROR` blocks publishing, `WARN` is only shown; a pipeline's `warn` and `block` override it.
        required: whether training relies on the rule, so that it can never merely warn.
        raw: whether it can also judge the source's rows, before the steps of `features`.
    """

    name: str
    text: str
    configured: "Callable[[PipelineSpec], bool]" = _always
    severity: Severity = "ERROR"
    required: bool = False
    raw: bool = False

    def severity_in(self, validation: "ValidationSpec") -> Severity:
        """Return how a pipeline treats a failure of this rule."""
        if self.name in validation.block:
            return "ERROR"
        return "WARN" if self.name in validation.warn else self.severity


def _asks(setting: str) -> "Callable[[PipelineSpec], bool]":
    """Return whether a pipeline sets a field of `validation`."""
    return lambda spec: bool(getattr(spec.validation, setting))


def _sentinel(spec: "PipelineSpec") -> bool:
    return spec.validation.sentinel.enabled


def _sentinel_of_classes(spec: "PipelineSpec") -> bool:
    return _sentinel(spec) and spec.task.is_classification


def _sentinel_of_random_splits(spec: "PipelineSpec") -> bool:
    return _sentinel(spec) and spec.split.by in {"random", "stratified"}


_RULES = (
    Rule("row_count_in_range", "The number of rows lies between min_rows and max_rows.", required=True, raw=True),
    Rule("columns_present", "Every column that the pipeline names exists.", required=True, raw=True),
    Rule("dtypes_as_declared", "Every column has its declared type.", configured=_asks("dtypes"), raw=True),
    Rule(
        "missing_share_below_maximum",
        "No column has a larger share of missing values than allowed.",
        configured=lambda spec: spec.validation.max_missing not in (1.0, {}),
        raw=True,
    ),
    Rule("no_missing_target", "Every row has a target.", required=True),
    Rule(
        "columns_not_null", "Columns declared not null have no missing value.", configured=_asks("not_null"), raw=True
    ),
    Rule(
        "rows_unique_by_key",
        "No two rows share a key; a missing part of a key equals a missing part.",
        configured=_asks("unique"),
        raw=True,
    ),
    Rule(
        "values_in_range",
        "Every value lies inside its column's bounds and is finite.",
        configured=_asks("ranges"),
        raw=True,
    ),
    Rule("values_allowed", "Every value is one of its column's allowed values.", configured=_asks("allowed"), raw=True),
    Rule("custom_rules_hold", "Every rule of the user's own holds.", configured=_asks("custom"), raw=True),
    Rule(
        "target_learnable",
        "The target has classes, or a spread of numbers, that the task can be learned from.",
        required=True,
    ),
    Rule(
        "values_match_pattern",
        "Every text matches its column's regular expression.",
        configured=_asks("matches"),
        raw=True,
    ),
    Rule("values_finite", "No number is infinite, or NaN stored as a value.", configured=_asks("finite"), raw=True),
    Rule("expressions_hold", "No row breaks a SQL expression.", configured=_asks("expressions"), raw=True),
    Rule(
        "conditions_hold",
        "Where a condition holds, what must follow from it does.",
        configured=_asks("conditional"),
        raw=True,
    ),
    Rule(
        "data_is_fresh",
        "The newest row is young enough, and none lies in the future.",
        configured=_asks("freshness"),
        raw=True,
    ),
    Rule("pandera_schema_holds", "The user's own pandera schema holds.", configured=_asks("pandera_schema"), raw=True),
    Rule(
        "no_target_leakage", "No feature is a copy of the target, or reveals it by being missing.", configured=_sentinel
    ),
    Rule(
        "numbers_not_read_as_text",
        "No column of numbers is read as text because of a few other words.",
        configured=_sentinel,
    ),
    Rule("target_not_reconstructible", "No few features together give the target exactly.", configured=_sentinel),
    Rule(
        "distributions_as_reference",
        "No column's distribution differs much from that of data that passed before.",
        configured=_asks("distributions"),
        severity="WARN",
    ),
    Rule(
        "no_suspected_leakage",
        "No feature predicts the target too well to be known before it.",
        configured=_sentinel,
        severity="WARN",
    ),
    Rule(
        "no_future_timestamps",
        "No time lies after the moment as of which the data is checked.",
        configured=_sentinel,
        severity="WARN",
    ),
    Rule("no_identifier_features", "No feature numbers or names single rows.", configured=_sentinel, severity="WARN"),
    Rule(
        "rows_not_repeated",
        "Few rows repeat another in every feature and the target.",
        configured=_sentinel_of_random_splits,
        severity="WARN",
    ),
    Rule(
        "groups_not_split",
        "No identifier's rows stand on both sides of a random split.",
        configured=_sentinel_of_random_splits,
        severity="WARN",
    ),
    Rule(
        "features_finite",
        "No feature holds an infinity, or a number too large to learn from.",
        configured=_sentinel,
        severity="WARN",
    ),
    Rule(
        "texts_written_consistently",
        "Texts have no blanks around them, and each value has one spelling.",
        configured=_sentinel,
        severity="WARN",
    ),
    Rule("features_vary", "No feature is constant or empty.", configured=_sentinel, severity="WARN"),
    Rule(
        "classes_large_enough",
        "Every class has enough rows to learn and to evaluate.",
        configured=_sentinel_of_classes,
        severity="WARN",
    ),
    Rule(
        "categories_few_enough",
        "Categories repeat: there are not nearly as many as rows.",
        configured=_sentinel,
        severity="WARN",
    ),
)
RULES: dict[str, Rule] = {rule.name: rule for rule in _RULES}
"""Every rule by name, in the order of reports."""
RAW_RULES = {name: rule for name, rule in RULES.items() if rule.raw}
"""The rules that can also judge the source's rows, before the steps of `features`."""


class RuleNames:
    """Annotation of a name of a rule: in a JSON Schema it is one of the names."""

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Any) -> dict[str, Any]:
        """Return the names as an enumeration."""
        return {**handler(core_schema), "enum": list(RULES)}


def known_rule(name: str) -> str:
    """Return the name of a rule.

    Raises:
        ValueError: there is no such rule; names the nearest.
    """
    if name not in RULES:
        msg = f"there is no rule '{name}'{did_you_mean(name, RULES)}; the rules are {', '.join(RULES)}"
        raise ValueError(msg)
    return name
