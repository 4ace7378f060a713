import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest
from object_stores import object_store_at

from assay.data.dataset import Dataset, GateReceipt, ValidatedDataset
from assay.errors import ArtifactNotFoundError, GateRejectedError, StorageError
from assay.specs.dataset import ColumnRole
from resources.artifacts.io_manager import ArtifactIOManager
from resources.artifacts.store import Attempt

MONTHS = dg.MonthlyPartitionsDefinition(start_date="2024-01-01", end_date="2024-07-01")
ROOT = Path(__file__).parents[2]
IO = "artifact_io_manager"


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.full)])
def manager(request, tmp_path):
    if request.param == "local":
        return ArtifactIOManager(object_store=object_store_at(tmp_path / "store"))
    request.getfixturevalue("aws")
    return ArtifactIOManager(object_store=object_store_at("s3://bucket/prefix", region_name="us-east-1"))


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


@pytest.fixture
def run(manager, instance):
    """Return a function that materialises assets; `select` names those that run."""

    def materialise(*assets, **options):
        return dg.materialize(list(assets), instance=instance, resources={IO: manager}, **options)

    return materialise


@pytest.fixture
def monthly(make_validated):
    @dg.asset(key=["demo", "validated"], partitions_def=MONTHS, io_manager_key=IO)
    def validated(context: dg.AssetExecutionContext) -> ValidatedDataset:
        return make_validated(month=[context.partition_key], x=[1])

    return validated


def test_an_assets_value_is_published_and_read_by_the_next(run, manager, make_dataset):
    seen = []

    @dg.asset(key=["demo", "up"], io_manager_key=IO, code_version="7")
    def up() -> Dataset:
        return make_dataset()

    @dg.asset(key=["demo", "down"], ins={"up": dg.AssetIn(key=["demo", "up"])}, io_manager_key=IO)
    def down(up: Dataset) -> Dataset:
        seen.append(up)
        return make_dataset(z=[1])

    result = run(up, down)
    assert seen == [make_dataset()]
    commit = manager.artifacts().newest(("demo", "up"), None)
    assert (commit.run_id, commit.code_version, commit.inputs) == (result.run_id, "7", {})
    shown = result.asset_materializations_for_node("demo__up")[0].metadata
    assert shown["stored at"].value == manager.artifacts().uri(commit)
    assert (shown["version"].value, shown["dagster/row_count"].value) == (1, 3)
    assert [column.name for column in shown["dagster/column_schema"].value.columns] == ["x", "y"]
    assert manager.artifacts().newest(("demo", "down"), None).inputs == {"demo/up": f"1:{commit.data_version}"}


def test_a_columns_role_is_told_only_where_it_means_something_to_a_model(run, manager, make_dataset):
    made = make_dataset()
    x, y = made.schema.columns
    columns = (x.model_copy(update={"role": ColumnRole.IGNORED}), y)
    made = replace(made, schema=made.schema.model_copy(update={"columns": columns}))

    def shown(name):
        @dg.asset(key=["demo", name], io_manager_key=IO)
        def table() -> Dataset:
            return made

        metadata = run(table).asset_materializations_for_node(f"demo__{name}")[0].metadata
        return [each.description for each in metadata["dagster/column_schema"].value.columns]

    assert shown("raw_dataset") == ["ignored", str(y.role)]
    assert shown("batch_predictions") == [None, str(y.role)]
    assert shown("prediction_log") == [None, None]


def test_each_partition_is_its_own_series(run, manager, monthly):
    run(monthly, partition_key="2024-01-01")
    run(monthly, partition_key="2024-02-01")
    run(monthly, partition_key="2024-02-01")
    log = manager.artifacts().log
    assert [log.newest_number(("demo", "validated"), key) for key in ("2024-01-01", "2024-02-01", "2024-03-01")] == [
        1,
        2,
        0,
    ]
    assert manager.artifacts().load(("demo", "validated"), "2024-01-01", ValidatedDataset).table[
        "month"
    ].to_pylist() == ["2024-01-01"]


def _window(seen, annotation=dict[str, ValidatedDataset], **metadata):
    mapping = dg.TimeWindowPartitionMapping(start_offset=-2)
    ins = {"window": dg.AssetIn(key=["demo", "validated"], partition_mapping=mapping, metadata=metadata)}

    def model(window):
        seen.append(window)
        return GateReceipt(data_digest="d", rules_digest="r", verdict="passed", rows=1)

    model.__annotations__ = {"window": annotation, "return": GateReceipt}
    return dg.asset(key=["demo", "model"], partitions_def=MONTHS, ins=ins, io_manager_key=IO)(model)


def test_a_window_is_read_as_one_value_for_each_partition(run, manager, monthly):
    seen = []
    for key in ("2024-01-01", "2024-02-01", "2024-03-01", "2024-04-01"):
        run(monthly, partition_key=key)
    model = _window(seen)
    run(monthly, model, partition_key="2024-03-01", selection=[model])
    assert {key: value.table["month"].to_pylist() for key, value in seen[0].items()} == {
        key: [key] for key in ("2024-01-01", "2024-02-01", "2024-03-01")
    }
    commit = manager.artifacts().newest(("demo", "model"), "2024-03-01")
    versions = {
        f"demo/validated@{key}": f"1:{manager.artifacts().newest(('demo', 'validated'), key).data_version}"
        for key in ("2024-01-01", "2024-02-01", "2024-03-01")
    }
    assert commit.inputs == versions


def test_without_partitions_a_window_has_one_value_under_the_empty_key(run, make_validated):
    seen = []

    @dg.asset(key=["demo", "validated"], io_manager_key=IO)
    def validated() -> ValidatedDataset:
        return make_validated()

    @dg.asset(ins={"window": dg.AssetIn(key=["demo", "validated"])}, io_manager_key=IO)
    def model(window: dict[str, ValidatedDataset]) -> None:
        seen.append(window)

    run(validated, model)
    assert seen == [{"": make_validated()}]


def _failure_of(attempt):
    with pytest.raises(Exception) as failed:  # noqa: PT011 - Dagster wraps or re-raises
        attempt()
    error = failed.value
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def test_one_error_names_all_partitions_that_are_missing(run, monthly):
    run(monthly, partition_key="2024-02-01")
    model = _window([])
    error = _failure_of(lambda: run(monthly, model, partition_key="2024-03-01", selection=[model]))
    assert isinstance(error, ArtifactNotFoundError)
    assert "2024-01-01" in error.where
    assert "2024-03-01" in error.where
    assert "2024-02-01" not in error.where
    assert "2 partitions" in error.what
    assert "--partition 2024-01-01" in error.remedy


def test_several_partitions_do_not_become_one_value(run, monthly):
    for key in ("2024-01-01", "2024-02-01"):
        run(monthly, partition_key=key)
    model = _window([], annotation=ValidatedDataset)
    error = _failure_of(lambda: run(monthly, model, partition_key="2024-02-01", selection=[model]))
    assert isinstance(error, StorageError)
    assert "dict[str, ValidatedDataset]" in error.expected


def test_a_refused_partition_stops_the_reader(run, manager, monthly, make_receipt):
    receipt = make_receipt(verdict="failed", failed_rules=("unique_id",))
    run(monthly, partition_key="2024-01-01")
    manager.artifacts().reject(("demo", "validated"), "2024-01-01", receipt, receipt, Attempt("r", "later"))
    model = _window([])
    error = _failure_of(lambda: run(monthly, model, partition_key="2024-01-01", selection=[model]))
    assert isinstance(error, GateRejectedError)
    assert "unique_id" in error.found


def test_columns_of_an_input_project_the_table(run, monthly):
    seen = []
    run(monthly, partition_key="2024-01-01")
    model = _window(seen, columns=["x"])
    run(monthly, model, partition_key="2024-01-01", selection=[model])
    assert [value.table.column_names for value in seen[0].values()] == [["x"]]


def test_two_assets_of_one_run_do_not_mix_up_their_inputs(run, manager, make_dataset):
    @dg.asset(io_manager_key=IO)
    def a() -> Dataset:
        return make_dataset(a=[1])

    @dg.asset(io_manager_key=IO)
    def b() -> Dataset:
        return make_dataset(b=[1, 2])

    @dg.asset(io_manager_key=IO)
    def of_a(a: Dataset) -> Dataset:
        return a

    @dg.asset(io_manager_key=IO)
    def of_both(a: Dataset, b: Dataset) -> Dataset:
        return b

    run(a, b, of_a, of_both)
    inputs = {name: set(manager.artifacts().newest((name,), None).inputs) for name in ("a", "of_a", "of_both")}
    assert inputs == {"a": set(), "of_a": {"a"}, "of_both": {"a", "b"}}


def test_every_output_of_a_step_records_the_steps_inputs(run, manager, make_dataset):
    @dg.asset(io_manager_key=IO)
    def up() -> Dataset:
        return make_dataset()

    @dg.multi_asset(
        ins={"up": dg.AssetIn("up")},
        outs={"left": dg.AssetOut(io_manager_key=IO), "right": dg.AssetOut(io_manager_key=IO)},
    )
    def both(up: Dataset) -> tuple[Dataset, Dataset]:
        return up, up

    run(up, both)
    assert [set(manager.artifacts().newest((name,), None).inputs) for name in ("left", "right")] == [{"up"}, {"up"}]


def test_a_retried_step_publishes_once_and_under_its_own_attempt(run, manager, make_dataset):
    tries = []

    @dg.asset(io_manager_key=IO, retry_policy=dg.RetryPolicy(max_retries=2))
    def flaky() -> Dataset:
        tries.append(1)
        if len(tries) < 3:
            raise RuntimeError("again")
        return make_dataset()

    assert run(flaky).success
    history = manager.artifacts().log.history(("flaky",), None)
    assert len(history) == 1
    assert history[0].attempt_id.endswith("-flaky-2")


def test_a_step_that_fails_publishes_nothing(run, manager):
    @dg.asset(io_manager_key=IO)
    def broken() -> Dataset:
        raise RuntimeError("no")

    assert not run(broken, raise_on_error=False).success
    assert manager.artifacts().log.newest_number(("broken",), None) == 0


def test_a_value_without_a_safe_format_fails_the_step(run, manager):
    @dg.asset(io_manager_key=IO)
    def frame() -> dict:
        return {"table": pa.table({})}

    error = _failure_of(lambda: run(frame))
    assert isinstance(error, StorageError)
    assert "no safe format" in error.what
    assert manager.artifacts().log.newest_number(("frame",), None) == 0


def test_an_input_without_a_type_says_what_to_annotate(run, make_dataset):
    @dg.asset(io_manager_key=IO)
    def rows() -> Dataset:
        return make_dataset()

    @dg.asset(io_manager_key=IO)
    def reader(rows) -> None:
        raise AssertionError(rows)

    error = _failure_of(lambda: run(rows, reader))
    assert isinstance(error, StorageError)
    assert "input rows" in error.where
    assert "annotate" in error.remedy


PROJECT = """
import sys
from pathlib import Path

import dagster as dg
import pyarrow as pa
from object_stores import object_store_at

from assay.data.dataset import GateReceipt
from assay.specs.dataset import ColumnRole
from resources.artifacts.io_manager import ArtifactIOManager

FOLDER = Path(__file__).parent


@dg.asset(io_manager_key="io")
def up() -> GateReceipt:
    return GateReceipt(data_digest="d", rules_digest="r", verdict="passed", rows=41)


@dg.asset(io_manager_key="io")
def down(up: GateReceipt) -> GateReceipt:
    return up.model_copy(update={"rows": up.rows + 1})


def make_job():
    definitions = dg.Definitions(
        assets=[up, down],
        jobs=[dg.define_asset_job("both")],
        resources={"io": ArtifactIOManager(object_store=object_store_at(FOLDER / "store"))},
        executor=dg.multiprocess_executor,
    )
    return definitions.resolve_job_def("both")


if __name__ == "__main__":
    with dg.DagsterInstance.local_temp(str(FOLDER / "home")) as instance:
        job = dg.reconstructable(make_job)
        with dg.execute_job(job, instance=instance) as result:
            sys.exit(0 if result.success else 1)
"""


@pytest.mark.full
def test_steps_in_processes_of_their_own_hand_values_on(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "two_steps_project.py").write_text(textwrap.dedent(PROJECT), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "two_steps_project.py"],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{ROOT}:{ROOT}/tests/support:{tmp_path}", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    artifacts = ArtifactIOManager(object_store=object_store_at(tmp_path / "store")).artifacts()
    assert artifacts.load(("down",), None, GateReceipt).rows == 42
    first = artifacts.newest(("up",), None)
    assert artifacts.newest(("down",), None).inputs == {"up": f"1:{first.data_version}"}


@pytest.mark.parametrize("kind", [pa.Table, pd.DataFrame])
def test_a_users_tables_are_stored_and_given_as_asked(run, manager, kind):
    seen = []

    @dg.asset(key=["own", "orders"], io_manager_key=IO)
    def orders():
        table = pa.table({"customer": ["a", "b"], "spent": [1.5, None]})
        return table if kind is pa.Table else table.to_pandas()

    def reader(orders) -> None:
        seen.append(orders)

    reader.__annotations__["orders"] = kind
    reading = dg.asset(ins={"orders": dg.AssetIn(key=["own", "orders"])})(reader)
    assert run(orders, reading).success
    assert isinstance(seen[0], kind)
    stored = manager.artifacts().load(("own", "orders"), None, Dataset)
    assert stored.table.column_names == ["customer", "spent"]
    assert stored.schema["spent"].role == "numeric"
    if kind is pa.Table:
        assert seen[0].equals(stored.table)


def test_a_value_is_read_without_a_run(run, manager, monthly, make_dataset):
    run(monthly, partition_key="2024-01-01")
    run(monthly, partition_key="2024-02-01")
    definitions = dg.Definitions(assets=[monthly], resources={IO: manager})
    found = definitions.load_asset_value(["demo", "validated"], partition_key="2024-02-01")
    assert isinstance(found, ValidatedDataset)
    assert found.table["month"].to_pylist() == ["2024-02-01"]
