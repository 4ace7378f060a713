import numpy as np
import pandas as pd
import pytest

from assay.gate.outcome import union_of
from assay.gate.pandera_schemas import not_null_schema, range_schema, unique_schema, violations
from assay.specs.validation import RangeRule


def test_pandera_switched_off_from_outside_still_checks():
    from pandera.config import config_context

    frame = pd.DataFrame({"x": [1.0, -1.0]})

    with config_context(validation_enabled=False):
        found = violations(frame, range_schema({"x": RangeRule(min=0)}))

    assert [violation.positions.tolist() for violation in found] == [[1]]


def test_pandera_limited_to_schemas_from_outside_still_checks_values():
    from pandera.config import config_context

    with config_context(validation_depth="SCHEMA_ONLY"):
        assert violations(pd.DataFrame({"x": [1, 1]}), unique_schema(("x",)))


def test_all_columns_are_checked_not_just_the_first():
    frame = pd.DataFrame({"a": [None, 1.0], "b": [1.0, None]})

    found = violations(frame, not_null_schema(["a", "b"]))

    assert [(violation.column, violation.positions.tolist()) for violation in found] == [("a", [0]), ("b", [1])]


def test_a_check_that_breaks_is_a_violation_with_its_reason():
    found = violations(pd.DataFrame({"x": ["a", "b"]}), range_schema({"x": RangeRule(min=0)}))

    assert any("TypeError" in violation.error and violation.positions is None for violation in found)


@pytest.mark.parametrize(("parts", "expected"), [([], []), ([[]], []), ([[3, 1], [1]], [1, 3]), ([[], [0]], [0])])
def test_the_union_of_rows_is_sorted_and_without_repeats(parts, expected):
    assert union_of([np.array(part, dtype=np.int64) for part in parts]).tolist() == expected
