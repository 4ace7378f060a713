import pyarrow as pa
import pytest

from assay.data.dataset import Dataset
from assay.data.fingerprint import fingerprint
from assay.data.schema import ColumnSchema, TableSchema
from assay.specs.dataset import ColumnRole
from ml_assets.assets.metadata import dataset_metadata, reason_of_role


@pytest.mark.parametrize(
    ("reason", "frozen_before", "shown"),
    [
        ("inferred", False, "inferred"),
        ("inferred", True, "frozen"),
        ("frozen", True, "frozen"),
        ("declared", True, "declared"),
        ("target", True, "target"),
    ],
)
def test_a_role_is_called_inferred_only_where_these_rows_suggest_it(reason, frozen_before, shown):
    column = ColumnSchema(name="a", dtype="int64", role=ColumnRole.NUMERIC, reason=reason)
    assert reason_of_role(column, frozen_before=frozen_before) == shown


def test_rows_without_a_schema_of_their_own_say_no_reason():
    table = pa.table({"a": [1]})
    schema = TableSchema(version=1, columns=(ColumnSchema(name="a", dtype="int64", role=ColumnRole.NUMERIC),))
    dataset = Dataset(table, schema, fingerprint(table))
    shown = [dataset_metadata(dataset, [], "UTC", frozen_before=each)["columns and roles"] for each in (None, True)]
    assert ["role is" in each.records[0].data for each in shown] == [False, True]
