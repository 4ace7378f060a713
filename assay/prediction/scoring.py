"""Predictions of a batch: the table to publish, and what the checks say of it."""

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from assay.data.dataset import Dataset
from assay.data.fingerprint import fingerprint
from assay.data.frames import feature_frame
from assay.data.schema import ColumnSchema, TableSchema, dtype_name, require_column
from assay.errors import DataContractError, PredictionsRefusedError
from assay.learning.evaluation.predictions import predict
from assay.prediction.checks import Predicted, PredictionCheck, check_predictions
from assay.prediction.predictor import batch_columns
from assay.results.trained_model import TrainedModel
from assay.specs.dataset import ColumnRole
from assay.specs.operations import PredictionChecks
from assay.specs.pipeline import PipelineSpec


@dataclass(frozen=True, slots=True)
class Scored:
    """Predictions of a batch.

    Attributes:
        dataset: the same rows in the same order: kept columns, `prediction`, and `probability_<class>` of each class;
            `lower` and `upper` of a regression with `training.interval`.
        checks: what each check found.
    """

    dataset: Dataset
    checks: tuple[PredictionCheck, ...]

    @property
    def failed(self) -> tuple[PredictionCheck, ...]:
        """The checks that do not hold."""
        return tuple(check for check in self.checks if not check.passed)


def score(model: TrainedModel, table: pa.Table, schema: TableSchema, spec: PipelineSpec, *, where: str) -> Scored:
    """Predict every row of a table, and check the predictions; the features are made once and passed once.

    Args:
        model: the model.
        table: rows with all features of the model; the target is optional.
        schema: of the table.
        spec: the pipeline; `scoring.columns` are kept, by default the identifiers.
        where: asset and partition, for errors.

    Raises:
        MissingColumnError: a feature or a kept column is absent.
        DataContractError: a kept column has the name of a result column.
    """
    wanted = spec.scoring.columns if spec.scoring else ()
    kept = wanted or schema.with_role(ColumnRole.IDENTIFIER)
    for name in kept:
        require_column(table, name, where="scoring.columns")
    facts = model.manifest
    features = feature_frame(table, facts.features)
    found = predict(model.estimator, features, facts.classes, facts.task)
    results = batch_columns(found, model)
    _require_free_names(kept, results, where)
    keys = table.select(list(kept))
    scored = pa.table({**{name: keys.column(name) for name in kept}, **results})
    asked = spec.scoring.checks if spec.scoring else PredictionChecks()
    checks = check_predictions(Predicted(found, features, table.num_rows, keys, scored), facts, asked)
    columns = [schema[name] for name in kept] + [
        ColumnSchema(name=name, dtype=dtype_name(scored.column(name).type), role=ColumnRole.IGNORED) for name in results
    ]
    made = TableSchema(version=schema.version, columns=tuple(columns))
    notes = {"rows": str(scored.num_rows), "model": f"{facts.family}, {facts.model_version}"}
    return Scored(Dataset(table=scored, schema=made, fingerprint=fingerprint(scored), notes=notes), tuple(checks))


def require_good(checks: Iterable[PredictionCheck], *, where: str) -> None:
    """Refuse predictions that fail a check.

    Raises:
        PredictionsRefusedError: names the checks and what they found.
    """
    failed = [check for check in checks if not check.passed]
    if failed:
        raise PredictionsRefusedError(
            "the predictions are refused, and nothing is published",
            where=where,
            found="; ".join(f"{check.name}: {check.found}" for check in failed),
            expected="; ".join(f"{check.name}: {check.expected}" for check in failed),
            remedy="check the rows and the champion; if such predictions are right, change scoring.checks",
        )


def _require_free_names(kept: tuple[str, ...], results: dict[str, pa.Array], where: str) -> None:
    taken = [name for name in kept if name in results]
    if taken:
        raise DataContractError(
            f"the kept column '{taken[0]}' has the name of a result column",
            where=where,
            expected=f"names other than {', '.join(results)}",
            remedy="leave it out of scoring.columns",
        )
