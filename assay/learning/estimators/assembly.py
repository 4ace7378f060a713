"""Preprocessing and model as one unfitted pipeline.

A bound on the threads of BLAS and OpenMP.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from assay.data.schema import TableSchema
from assay.learning.estimators.family import Family
from assay.learning.preprocessing.assembly import build_preprocessor
from assay.specs.pipeline import PipelineSpec

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


@contextmanager
def limited_threads(n: int) -> Iterator[None]:
    """Let BLAS and OpenMP use at most `n` threads inside the block.

    Only libraries that are already loaded are bound, so resolve the families first.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=n):
        yield
