"""Values of a feature that stand for one class of the target each.

Does not belong here: features that are the target throughout (`copies`), scores of whole features
(`single_feature_scores`).
"""

import numpy as np

from assay.validation.sentinel.coded_columns import CodedColumn
from assay.validation.sentinel.copies import agreement_of
from assay.validation.sentinel.single_feature_scores import SURE_MEMBERS

NEARLY = 0.95
"""Agreement beyond chance (Cohen 1960) from which a feature of few values is the target with mistakes in it."""


def told_by_values(feature: CodedColumn, target: CodedColumn) -> str:
    """Say how values of a feature give the target away; empty where they do not.

    Two classes of at least a hundred rows are needed, as for every score that is to be sure.

    Args:
        feature: one code per row.
        target: one class per row, none missing.
    """
    sizes = np.bincount(target.codes, minlength=target.distinct)
    if (sizes >= SURE_MEMBERS).sum() < 2:  # noqa: PLR2004 - a value tells one class from another
        return ""
    found = agreement_of(feature, target)
    if found is not None and found.kappa >= NEARLY:
        return f"has one value for each class in {found.agreeing:,} of {found.rows:,} rows"
    return "" if feature.ordered else _settled(feature, target)


def _settled(feature: CodedColumn, target: CodedColumn) -> str:
    shown = feature.codes[feature.present]
    cells = shown * target.distinct + target.codes[feature.present]
    counts = np.bincount(cells, minlength=feature.distinct * target.distinct).reshape(-1, target.distinct)
    rows = counts.sum(axis=1)
    sure = (counts.max(axis=1) == rows) & (rows >= SURE_MEMBERS)
    if np.unique(counts[sure].argmax(axis=1)).size < 2:  # noqa: PLR2004 - as above
        return ""
    return f"settles the target in {rows[sure].sum() / target.codes.size:.1%} of the rows: {sure.sum()} of its values"
