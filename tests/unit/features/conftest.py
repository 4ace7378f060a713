import duckdb
import pyarrow as pa
import pytest
from features_world import spec_of

from assay.features.engine import engine_connection, failure, run
from assay.features.plan import compiled
from assay.reading.files import mapped_table


@pytest.fixture(scope="module")
def connection():
    with engine_connection() as connection:
        yield connection


@pytest.fixture
def computed(connection, tmp_path):
    """Return a function that runs steps in this process: the rows and how many stay, or the failure."""

    def compute(*steps, labelled=True, target="y", nan=(), **columns):
        table = columns.pop("table", None) or pa.table(columns)
        plan = compiled(connection, spec_of(*steps), table.schema, target, nan=nan, labelled=labelled)
        try:
            stay = run(connection, plan.layers, table, tmp_path / "features")
        except duckdb.Error as error:
            return failure(connection, plan.layers, table, error)
        return mapped_table(tmp_path / "features").to_pydict(), stay

    return compute
