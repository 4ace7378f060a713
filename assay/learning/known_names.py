"""What a pipeline file alone shows to be wrong: names of families, metrics and steps, bounds, and expressions.

Nothing heavy is imported: names are declared beside the things, their libraries are imported where they are used.
"""

from collections.abc import Iterator

import assay.learning.estimators  # noqa: F401 - registers the families
from assay.errors import AssayError, DataContractError, SpecError, UnknownMetricError, UnknownModelError, did_you_mean
from assay.importing import is_import_path
from assay.learning.estimators.family import FAMILIES
from assay.learning.evaluation.metrics import METRICS
from assay.learning.preprocessing.assembly import STEP_NAMES
from assay.specs.loading import Location
from assay.specs.pipeline import PipelineSpec

ALIASES = {
    "xgb": "xgboost",
    "lgbm": "lightgbm",
    "gbm": "hist_gradient_boosting",
    "gradient_boosting": "hist_gradient_boosting",
    "histgradientboosting": "hist_gradient_boosting",
    "rf": "random_forest",
    "randomforest": "random_forest",
    "logreg": "logistic_regression",
    "logisticregression": "logistic_regression",
    "linearregression": "linear_regression",
    "ols": "linear_regression",
}
"""What other libraries and registries call a family; the endings `classifier` and `regressor` are left out."""
_ENDINGS = ("_classifier", "_regressor", "classifier", "regressor")


def meant_family(name: str) -> str:
    """Return the family that a name of another registry means, `xgboost` for `XGBClassifier`; empty if unknown."""
    plain = name.rpartition(".")[2].lower().replace("-", "_").replace(" ", "_")
    for ending in _ENDINGS:
        plain = plain.removesuffix(ending)
    plain = ALIASES.get(plain.rstrip("_"), plain.rstrip("_"))
    return plain if plain in FAMILIES else ""


def name_errors(spec: PipelineSpec) -> Iterator[tuple[Location, AssayError]]:
    """Yield each name that cannot be right, with its location in the pipeline file."""
    for number, name in enumerate(spec.model.candidates):
        card = FAMILIES.get(name)
        if not is_import_path(name) and (card is None or card.path(spec.task) is None):
            yield ("model", "candidates", number), _unknown_family(name, spec)
    for key in spec.tuning.search_space if spec.tuning.search_space != "auto" else ():
        prefix = key.rpartition(".")[0]
        if prefix and prefix not in FAMILIES and prefix not in spec.model.candidates:
            yield ("tuning", "search_space", key), _unknown_family(prefix, spec)
    yield from _metric_errors(spec)
    yield from _bound_errors(spec)
    yield from _expression_errors(spec)
    for number, step in enumerate(spec.preparation.steps):
        if not is_import_path(step.step) and step.step not in STEP_NAMES:
            yield (
                ("preprocessing", "steps", number, "step"),
                SpecError(
                    f"there is no preprocessing step '{step.step}'{did_you_mean(step.step, STEP_NAMES)}",
                    expected=f"one of {', '.join(STEP_NAMES)}, or package.module:Class",
                    remedy="correct the name",
                ),
            )


def _unknown_family(name: str, spec: PipelineSpec) -> AssayError:
    known = [each for each, card in FAMILIES.items() if card.path(spec.task)]
    meant = meant_family(name)
    hint = f"; did you mean '{meant}'?" if meant in known and meant != name else did_you_mean(name, known)
    what = f"'{name}' does not do {spec.task}" if name in FAMILIES else f"there is no model family '{name}'"
    return UnknownModelError(
        f"{what}{hint}",
        expected=f"one of {', '.join(known)}, or package.module:Class",
        remedy="correct the name, or change task",
    )


def _metric_errors(spec: PipelineSpec) -> Iterator[tuple[Location, AssayError]]:
    known = METRICS[spec.task]
    named: list[tuple[Location, str]] = [
        (("evaluation", "metrics", number), name) for number, name in enumerate(spec.evaluation.metrics)
    ]
    named += [(("evaluation", "minimum", name), name) for name in spec.evaluation.minimum]
    if spec.evaluation.primary_metric is not None:
        named.append((("evaluation", "primary_metric"), spec.evaluation.primary_metric))
    for location, name in named:
        if name not in known and not is_import_path(name):
            yield (
                location,
                UnknownMetricError(
                    f"there is no metric '{name}' for {spec.task}{did_you_mean(name, known)}",
                    found=name,
                    expected=f"one of {', '.join(known)}, or package.module:function",
                    remedy="correct the name",
                ),
            )


def _bound_errors(spec: PipelineSpec) -> Iterator[tuple[Location, AssayError]]:
    """Yield each bound that no model can reach: every metric of ours is 1 at its best, or 0 where less is better."""
    for name, bound in spec.evaluation.minimum.items():
        known = METRICS[spec.task].get(name)
        if known and not known.reaches(float(known.greater_is_better), bound):
            yield (
                ("evaluation", "minimum", name),
                SpecError(
                    f"no model reaches this bound of '{name}'",
                    found=f"{bound:g}",
                    expected="at most 1" if known.greater_is_better else "at least 0",
                    remedy="correct the bound",
                ),
            )


def _expression_errors(spec: PipelineSpec) -> Iterator[tuple[Location, AssayError]]:
    """Yield each SQL expression that DuckDB cannot parse, or that uses more than the values of a row."""
    rules = spec.validation
    texts: list[tuple[Location, str]] = [
        (("validation", "expressions", name), sql) for name, sql in rules.expressions.items()
    ]
    for number, rule in enumerate(rules.conditional):
        texts += [(("validation", "conditional", number, part), getattr(rule, part)) for part in ("when", "then")]
    if not texts:
        return
    from assay.gate.expression_language import locked_connection, parsed

    with locked_connection() as connection:
        for location, sql in texts:
            try:
                parsed(connection, sql)
            except DataContractError as error:
                yield location, SpecError(error.what, found=error.found, expected=error.expected, remedy=error.remedy)
