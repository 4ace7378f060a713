"""What is predicted, where nobody says it: told by the model family, or else by the target's values.

Does not belong here: whether the target can be learned from; the gate judges that.
"""

import pyarrow as pa

from assay.estimators.registry import family_names
from assay.specs.pipeline import Task

MOST_CLASSES_OF_NUMBERS = 20
"""Whole numbers with more different values than this are amounts, not classes."""
_BINARY = 2


def inferred_task(target: pa.ChunkedArray, model_name: str | None) -> tuple[Task, str]:
    """Return the task, and why.

    Texts and booleans are classes, and so are whole numbers with few different values; other numbers are amounts. A
    model family that does one kind alone decides by itself.

    Args:
        target: the target's values.
        model_name: the model family, if one is named.
    """
    distinct = len(target.drop_null().unique())
    classes = Task.BINARY if distinct <= _BINARY else Task.MULTICLASS
    if model_name is not None and does_one_kind(model_name):
        return (classes if classifies(model_name) else Task.REGRESSION), f"{model_name} does nothing else"
    if pa.types.is_floating(target.type) or pa.types.is_decimal(target.type):
        return Task.REGRESSION, "the target has fractions"
    if pa.types.is_integer(target.type) and distinct > MOST_CLASSES_OF_NUMBERS:
        return Task.REGRESSION, f"the target has {distinct:,} different whole numbers"
    return classes, f"the target has {distinct:,} different values"


def does_one_kind(model_name: str) -> bool:
    """Whether a model family is known to do either classification or regression, and not both."""
    return classifies(model_name) != (model_name in family_names(Task.REGRESSION))


def classifies(model_name: str) -> bool:
    """Whether a model family is known to do classification."""
    return model_name in family_names(Task.BINARY)
