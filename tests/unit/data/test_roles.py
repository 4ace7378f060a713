"""Roles, declared and inferred."""

import datetime as dt

import pyarrow as pa
import pytest

from assay.data.schema import infer_schema, inferred_role
from assay.errors import DataContractError, MissingColumnError
from assay.specs.dataset import ColumnRole, ColumnSpec, DatasetSpec

ROWS = 60
PROSE = [f"the customer of day {n} said that all was well, more or less" for n in range(ROWS)]


@pytest.mark.parametrize(
    ("values", "role"),
    [
        (pa.array([1, 2]), "numeric"),
        (pa.array([1.5, None]), "numeric"),
        (pa.array([True, None]), "boolean"),
        (pa.array([dt.date(2024, 1, 1)]), "datetime"),
        (pa.array([0], pa.timestamp("us", "UTC")), "datetime"),
        (pa.array(["a", "b"]), "categorical"),
        (pa.array([f"id-{n}" for n in range(ROWS)]), "identifier"),
        (pa.array([f"id-{n}" for n in range(49)]), "categorical"),
        (pa.array(["x"] * ROWS), "categorical"),
        (pa.array(PROSE), "text"),
        (pa.array([PROSE[0]] * ROWS), "categorical"),
        (pa.array([f"id-{n}" for n in range(ROWS)]).dictionary_encode(), "categorical"),
        (pa.nulls(3), "numeric"),
        (pa.nulls(3, pa.string()), "categorical"),
    ],
)
def test_type_and_values_suggest_a_role(values, role):
    assert inferred_role(pa.chunked_array([values])) == ColumnRole(role)


def test_a_declared_role_wins_and_says_so():
    spec = DatasetSpec(source="x", target="y", columns={"zip": ColumnSpec(role=ColumnRole.CATEGORICAL, pii=True)})
    schema = infer_schema(pa.table({"zip": [1, 2], "y": [0, 1]}), spec)
    assert (schema["zip"].role, schema["zip"].reason, schema["zip"].pii) == ("categorical", "declared", True)
    assert schema["y"].reason == "target"


@pytest.mark.parametrize(
    ("role", "values"), [("datetime", [1.5]), ("numeric", ["a"]), ("boolean", ["yes"]), ("text", [1])]
)
def test_an_impossible_role_is_refused(role, values):
    spec = DatasetSpec(source="x", target="y", columns={"a": ColumnSpec(role=ColumnRole(role))})
    with pytest.raises(DataContractError, match=f"'a' cannot have the role {role}") as caught:
        infer_schema(pa.table({"a": values, "y": [1]}), spec)
    assert caught.value.where == "dataset.columns.a.role"


def test_missing_columns_are_named_with_the_nearest():
    table = pa.table({"price": [1]})
    with pytest.raises(MissingColumnError, match="no column 'prise'; did you mean 'price'") as caught:
        infer_schema(table, DatasetSpec(source="x", target="prise"))
    assert (caught.value.where, caught.value.found) == ("dataset.target", "columns price")
    with pytest.raises(MissingColumnError, match="no column 'colour'"):
        infer_schema(table, DatasetSpec(source="x", target="price", columns={"colour": ColumnSpec()}))
