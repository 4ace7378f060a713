"""Preprocessing and model as one unfitted pipeline.

Does not belong here: fitting.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from assay.estimators.family import Family
from assay.preprocessing import build_preprocessor
from assay.specs.pipeline import PipelineSpec
from assay.tables.schema import TableSchema

if TYPE_CHECKING:
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

PREPROCESSING = "preprocessing"
MODEL = "model"


def preprocessor_for(family: Family, features: TableSchema, spec: PipelineSpec) -> "ColumnTransformer":
    """Build the unfitted preprocessing that suits a family."""
    return build_preprocessor(
        features, spec.preparation, family.encoding, seed=spec.training.seed, dense=family.card.dense
    )


def build_pipeline(
    family: Family, parameters: Mapping[str, Any], features: TableSchema, spec: PipelineSpec
) -> "Pipeline":
    """Build an unfitted pipeline.

    Args:
        family: the model family.
        parameters: its hyperparameters.
        features: the columns of the feature frame that the pipeline will take.
        spec: the pipeline; gives preprocessing, seed and threads.

    Returns:
        Unfitted `sklearn.pipeline.Pipeline` with the steps `preprocessing` and `model`.

    Raises:
        LearningError: the family refuses a hyperparameter.
        SpecError: a preprocessing step is not acceptable.
    """
    from sklearn.pipeline import Pipeline

    return Pipeline(
        [
            (PREPROCESSING, preprocessor_for(family, features, spec)),
            (MODEL, family.build(parameters, spec.training.seed, spec.training.threads)),
        ]
    )
