"""Columns that together are the target: formulas, comparisons and look-up tables that reproduce it.

A relation is searched in two thousand rows and confirmed in twenty thousand, so that the cost does not grow with the
table. What a relation needs to be one, and no accident of generated data, stands with each search.
"""

from assay.gate.checked_table import CheckedTable
from assay.gate.outcome import Outcome
from assay.gate.sentinel.comparisons import compared_numbers
from assay.gate.sentinel.copies import copies_of_target
from assay.gate.sentinel.encodings import means_of_own_rows
from assay.gate.sentinel.features import ADVICE, MIN_ROWS, checked_features, reported, sampled_rows, sentinel_check
from assay.gate.sentinel.formulas import computed_numbers
from assay.gate.sentinel.look_up_tables import looked_up
from assay.gate.sentinel.row_order import targets_of_later_rows
from assay.specs.pipeline import PipelineSpec

_EXPECTED = f"no few features together are the target; {ADVICE}"


@sentinel_check("target_not_reconstructible", _EXPECTED, fewest=4 * MIN_ROWS)
def target_not_reconstructible(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check that no few features give the target exactly."""
    rows, target = sampled_rows(table), spec.dataset.target
    copies = copies_of_target(table, spec)
    features = [name for name in checked_features(table, spec) if name not in copies]
    reasons = means_of_own_rows(table, target, features) or looked_up(table, target, features, rows)
    reasons |= targets_of_later_rows(table, target, features)
    if not reasons:
        search = compared_numbers if spec.task.is_classification else computed_numbers
        reasons = search(table, target, features, rows)
    return reported(reasons, observed="no few features give the target", expected=_EXPECTED)
