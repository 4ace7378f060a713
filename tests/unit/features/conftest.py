import pyarrow as pa
import pytest
from features_world import spec_of

from assay.features.compiling import joined_name
from assay.features.engine import run
from assay.features.first_failure import RowFailure, engine_connection
from assay.features.joined_tables import without_nan
from assay.features.plan import compiled
from assay.reading.files import mapped_table


@pytest.fixture(scope="module")
def connection():
    with engine_connection() as connection:
        yield connection


@pytest.fixture
def computed(connection, tmp_path):
    """Return a function that runs steps in this process: the rows and how many stay, or the failure."""

    def compute(*steps, labelled=True, target="y", tables=None, **columns):
        table = without_nan(columns.pop("table", None) or pa.table(columns))
        tables = tables or {}
        schemas = {name: other.schema for name, other in tables.items()}
        plan = compiled(connection, spec_of(*steps), table.schema, target, labelled=labelled, tables=schemas)
        for name, other in tables.items():
            connection.register(joined_name(name), other)
        try:
            stay = run(connection, plan.layers, table, tmp_path / "features")
        except RowFailure as row:
            return row.failure
        return mapped_table(tmp_path / "features").to_pydict(), stay

    return compute
