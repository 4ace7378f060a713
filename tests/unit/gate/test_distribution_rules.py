import numpy as np
import pyarrow as pa
import pytest

from assay.data.dataset import Dataset
from assay.data.fingerprint import fingerprint
from assay.data.schema import ColumnSchema, TableSchema, dtype_name
from assay.gate import distribution_rules
from assay.gate.gate import run_gate
from assay.specs.dataset import ColumnRole

ROWS = 2000
ROLES = {"x": ColumnRole.NUMERIC, "c": ColumnRole.CATEGORICAL, "f": ColumnRole.BOOLEAN, "id": ColumnRole.IDENTIFIER}


def dataset(**columns):
    table = pa.table({**columns, "y": np.arange(len(next(iter(columns.values())))) % 2})
    schema = tuple(
        ColumnSchema(name=field.name, dtype=dtype_name(field.type), role=ROLES.get(field.name, ColumnRole.NUMERIC))
        for field in table.schema
    )
    return Dataset(table, TableSchema(version=1, columns=schema), fingerprint(table))


def rows(seed, *, shift=0.0, red=0.5, **more):
    random = np.random.default_rng(seed)
    return dataset(
        x=random.normal(size=ROWS) + shift,
        c=pa.array(np.where(random.random(ROWS) < red, "red", "blue")).dictionary_encode(),
        f=random.random(ROWS) < red,
        id=np.arange(ROWS) + seed * ROWS,
        **more,
    )


@pytest.fixture
def compared(make_spec):
    """Compare rows with a reference and return the verdict and the rule's result."""

    def judge(ours, reference, *, block=(), **settings):
        spec = make_spec(distributions=settings, block=list(block))
        verdict = run_gate(ours, spec, where="here", reference=reference)
        return verdict, next(result for result in verdict.report.rules if result.name == "distributions_as_reference")

    return judge


def test_the_first_rows_have_no_reference_and_pass(compared):
    _, result = compared(rows(1), None)
    assert result.passed
    assert result.configured
    assert result.observed == "no reference yet"


def test_rows_of_one_distribution_pass_whatever_their_identifiers(compared):
    _, result = compared(rows(1), rows(2))
    assert result.passed
    assert result.observed == "4 columns as in the reference"


@pytest.mark.parametrize(("change", "columns"), [({"shift": 0.5}, {"x"}), ({"red": 0.8}, {"c", "f"})])
def test_columns_that_lie_elsewhere_are_named_and_warn(compared, change, columns):
    verdict, result = compared(rows(1, **change), rows(2))
    assert {failure.column for failure in result.failures} == columns
    assert result.severity == "WARN"
    assert verdict.accepted is not None


def test_it_blocks_where_the_pipeline_says_so(compared):
    verdict, _ = compared(rows(1, shift=1), rows(2), block=["distributions_as_reference"])
    assert verdict.receipt.failed_rules == ("distributions_as_reference",)


def test_a_large_difference_of_few_rows_may_be_chance_and_passes(compared):
    assert compared(dataset(x=[1.0, 2, 3, 4, 5, 6]), dataset(x=[3.5, 4.5, 5.5, 6.5, 7.5, 8.5]), columns=["x"])[1].passed


def test_a_larger_bound_lets_it_pass_and_only_listed_columns_count(compared):
    assert compared(rows(1, shift=0.5), rows(2), max_effect=0.4)[1].passed
    assert compared(rows(1, shift=0.5), rows(2), columns=["c"])[1].passed


def test_a_listed_column_that_cannot_be_compared_does_not_pass(compared):
    ours = rows(1)
    for column, reported in (("nope", "column missing"), ("extra", "no such column")):
        _, result = compared(rows(1, extra=np.arange(ROWS)), rows(2), columns=[column])
        assert reported in result.observed
    _, result = compared(ours, dataset(x=["a"] * ROWS), columns=["x"])
    assert "cannot be compared" in result.observed


def test_numbers_that_are_categories_are_counted_and_not_ranked(compared, monkeypatch):
    monkeypatch.setitem(ROLES, "k", ColumnRole.CATEGORICAL)
    random = np.random.default_rng(4)
    ours, theirs = (random.choice([1, 2, 3], ROWS, p=shares) for shares in ([0.1, 0.8, 0.1], [0.3, 0.4, 0.3]))
    _, result = compared(dataset(k=ours), dataset(k=theirs), columns=["k"])
    assert "total variation distance" in result.observed


def test_missing_values_are_not_compared_and_a_column_without_values_has_nothing_to_differ(compared):
    half = [None if row % 2 else float(row) for row in range(ROWS)]
    assert compared(dataset(x=half), dataset(x=np.arange(ROWS, dtype=float)), columns=["x"])[1].passed
    assert compared(dataset(x=pa.nulls(ROWS)), rows(2), columns=["x"])[1].passed


def test_more_rows_than_are_sampled_give_the_same_answer_twice(compared, monkeypatch):
    monkeypatch.setattr(distribution_rules, "_SAMPLED_ROWS", 500)
    first, second = (compared(rows(1, shift=1), rows(2))[1] for _ in range(2))
    assert first == second
    assert not first.passed
