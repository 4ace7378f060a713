"""The reviewed file of a schema version."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.data.frozen_schema import FrozenColumn, FrozenSchema, freeze, from_yaml, to_yaml
from assay.data.schema import ColumnSchema, TableSchema
from assay.errors import SpecError
from assay.specs.dataset import ColumnRole, CsvDialect

names = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=12)
columns = st.lists(
    st.builds(
        FrozenColumn,
        name=names,
        dtype=st.sampled_from(["int64", "string", "timestamp[us, tz=UTC]", "null", "decimal128(10, 2)"]),
        role=st.sampled_from(ColumnRole),
    ),
    min_size=1,
    max_size=5,
)
dialects = st.none() | st.builds(CsvDialect, delimiter=st.sampled_from([";", "\t", "|"]), decimal=st.just(","))


@given(columns, dialects, st.integers(1, 99), st.none() | st.lists(names).map(tuple))
def test_what_is_written_is_read_back(items, dialect, version, identity):
    frozen = FrozenSchema(version=version, dialect=dialect, row_identity=identity, columns=tuple(items))
    assert from_yaml(to_yaml(frozen, "demo"), where="demo.v1.yaml") == frozen


def test_the_file_shows_one_column_on_each_line_and_what_it_is_for():
    schema = TableSchema(
        version=2, columns=(ColumnSchema(name="no", dtype="string", role=ColumnRole.CATEGORICAL, pii=True),)
    )
    text = to_yaml(freeze(schema, None), "demo")
    assert "columns of demo, schema version 2" in text
    assert "\n- {name: 'no', dtype: string, role: categorical}\n" in text or (
        "\n- {name: no, dtype: string, role: categorical}\n" in text
    )


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("version: 1\ncolumns: [", "YAML"),
        ("version: 1\ncolumns:\n- {name: a, dtype: int64, role: numeric, rolle: x}\n", "did you mean 'role'"),
        ("version: 1\ncolumns:\n- {name: a, dtype: int64, role: number}\n", "role"),
        ("columns: []\n", "version"),
    ],
)
def test_a_file_that_is_no_schema_is_refused_by_its_path(text, reported):
    with pytest.raises(SpecError) as caught:
        from_yaml(text, where="pipelines/schemas/demo.v1.yaml")
    assert reported in str(caught.value)
    assert "pipelines/schemas/demo.v1.yaml" in str(caught.value)
