"""Rules of the user's own, named by import path.

Does not belong here: the rules that every pipeline can configure.
"""

from typing import Any

import numpy as np
import pandas as pd

from assay.errors import DataContractError
from assay.importing import import_object
from assay.specs.pipeline import PipelineSpec
from assay.validation.judged_table import JudgedTable
from assay.validation.outcome import UNCONFIGURED, Finding, Outcome, failing_column, failing_rows, outcome


def custom_rules_hold(table: JudgedTable, spec: PipelineSpec) -> Outcome:
    """Judge `validation.custom`: each function sees all rows and answers for each, or once for all.

    A function gets a `pandas.DataFrame` (texts as categories) and returns booleans, one per row or a single one. Rows
    for which it returns a missing value are not judged.
    """
    if not spec.validation.custom:
        return UNCONFIGURED
    findings = []
    for name, path in spec.validation.custom.items():
        rule = import_object(path, where=f"validation.custom.{name}")
        answer = rule(table.frame(table.names))
        finding = _finding(table, name, (rule.__doc__ or f"{name} holds").strip().splitlines()[0], answer)
        findings += [finding] if finding is not None else []
    names = ", ".join(spec.validation.custom)
    return outcome(findings, observed=f"{len(spec.validation.custom)} rules hold", expected=names)


def _finding(table: JudgedTable, name: str, proposition: str, answer: Any) -> Finding | None:
    if isinstance(answer, bool | np.bool_):
        return None if answer else failing_column("", expected=proposition, found=f"{name} does not hold")
    held = pd.array(np.asarray(answer, dtype=object), dtype="boolean")
    if len(held) != table.rows:
        raise DataContractError(
            f"the rule '{name}' answered for another number of rows",
            found=f"{len(held)} answers",
            expected=f"one boolean, or {table.rows}",
        )
    broken = np.flatnonzero(~held.fillna(value=True).to_numpy(dtype=bool))
    if not broken.size:
        return None
    return failing_rows(table, (), broken, expected=proposition, found=f"{name} does not hold")
