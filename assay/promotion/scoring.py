"""Batch predictions."""

import numpy as np
import pyarrow as pa

from assay.data.dataset import Dataset
from assay.data.fingerprint import fingerprint
from assay.data.frames import feature_frame
from assay.data.schema import ColumnSchema, TableSchema, dtype_name, require_column
from assay.errors import DataContractError
from assay.learning.evaluation.predictions import Predictions, predict
from assay.results.trained_model import TrainedModel
from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import PipelineSpec

PREDICTION = "prediction"


def score(model: TrainedModel, table: pa.Table, schema: TableSchema, spec: PipelineSpec, *, where: str) -> Dataset:
    """Predict every row of a table.

    Args:
        model: the model.
        table: rows with all features of the model; the target is optional.
        schema: of the table.
        spec: the pipeline; `scoring.columns` are kept, by default the identifiers.
        where: asset and partition, for errors.

    Returns:
        The same rows in the same order: kept columns, `prediction`, and `probability_<class>` (float64) of each class.

    Raises:
        MissingColumnError: a feature or a kept column is absent.
        DataContractError: a kept column has the name of a result column.
    """
    wanted = spec.scoring.columns if spec.scoring else ()
    kept = wanted or schema.with_role(ColumnRole.IDENTIFIER)
    for name in kept:
        require_column(table, name, where="scoring.columns")
    features = feature_frame(table, model.manifest.features)
    results = _results(predict(model.estimator, features, model.manifest.classes, model.manifest.task))
    taken = [name for name in kept if name in results]
    if taken:
        raise DataContractError(
            f"the kept column '{taken[0]}' has the name of a result column",
            where=where,
            expected=f"names other than {', '.join(results)}",
            remedy="leave it out of scoring.columns",
        )
    scored = pa.table({**{name: table.column(name) for name in kept}, **results})
    columns = [schema[name] for name in kept] + [
        ColumnSchema(name=name, dtype=dtype_name(scored.column(name).type), role=ColumnRole.IGNORED) for name in results
    ]
    made = TableSchema(version=schema.version, columns=tuple(columns))
    notes = {"rows": str(scored.num_rows), "model": f"{model.manifest.family}, {model.manifest.model_version}"}
    return Dataset(table=scored, schema=made, fingerprint=fingerprint(scored), notes=notes)


def _results(predictions: Predictions) -> dict[str, pa.Array]:
    results = {PREDICTION: pa.array(predictions.labels.tolist())}
    if predictions.probabilities is not None:
        shares = np.asarray(predictions.probabilities, dtype=np.float64)
        results |= {f"probability_{label}": pa.array(shares[:, n]) for n, label in enumerate(predictions.classes)}
    return results
