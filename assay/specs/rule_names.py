"""The names of all rules, as `validation.warn` and `validation.block` may list them.

Does not belong here: what a rule says (`assay.validation.rules`).
"""

from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import BeforeValidator

from assay.errors import did_you_mean

RuleName: TypeAlias = Literal[
    "row_count_in_range",
    "columns_present",
    "dtypes_as_declared",
    "missing_share_below_maximum",
    "no_missing_target",
    "columns_not_null",
    "rows_unique_by_key",
    "values_in_range",
    "values_allowed",
    "custom_rules_hold",
    "target_learnable",
    "values_match_pattern",
    "values_finite",
    "expressions_hold",
    "conditions_hold",
    "data_is_fresh",
    "distributions_as_reference",
    "pandera_schema_holds",
    "no_target_leakage",
    "no_suspected_leakage",
    "no_future_timestamps",
    "no_identifier_features",
    "rows_not_repeated",
    "groups_not_split",
    "features_vary",
    "classes_large_enough",
    "categories_few_enough",
]
ALWAYS_BLOCKING: frozenset[RuleName] = frozenset(
    {"row_count_in_range", "columns_present", "no_missing_target", "target_learnable"}
)


def _known(name: Any) -> Any:
    names = get_args(RuleName)
    if isinstance(name, str) and name not in names:
        msg = f"there is no rule '{name}'{did_you_mean(name, names)}; the rules are {', '.join(names)}"
        raise ValueError(msg)
    return name


ListedRule: TypeAlias = Annotated[RuleName, BeforeValidator(_known)]


def refuse_contradictions(warn: tuple[RuleName, ...], block: tuple[RuleName, ...]) -> None:
    """Refuse lists that cannot both be followed, or would let a model learn from nothing.

    Raises:
        ValueError: a rule is in both lists, or is one that training relies on and must not merely warn.
    """
    both = [name for name in warn if name in block]
    if both:
        msg = f"'{both[0]}' cannot both warn and block: remove it from one of the lists"
        raise ValueError(msg)
    needed = [name for name in warn if name in ALWAYS_BLOCKING]
    if needed:
        msg = f"'{needed[0]}' cannot merely warn: without it training breaks, or learns nothing, and does not say so"
        raise ValueError(msg)
