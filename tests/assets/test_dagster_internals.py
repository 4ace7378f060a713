"""What `ml_assets.dagster_internals` and `dagster_executors` rely on in the installed version of Dagster."""

import contextlib
import time

import click
import dagster as dg
import pytest
from dagster._cli.asset import asset_cli
from dagster._cli.job import job_cli
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from dagster._core.execution.asset_backfill import AssetBackfillData
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster_dg_cli.cli.launch import launch_command

from ml_assets import dagster_executors as executors
from ml_assets import dagster_internals as internals

MONTHS = dg.TimeWindowPartitionsDefinition(start="2021-01", end="2021-05", fmt="%Y-%m", cron_schedule="0 0 1 * *")
RANGE = {"dagster/asset_partition_range_start": "2021-01", "dagster/asset_partition_range_end": "2021-03"}


def within_step(look, *, partitions=MONTHS, upstream=(), **run):
    """Materialise one asset, whose body yields what `look` gives for its context; return the result and what it saw."""
    seen = []

    @dg.asset(
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=[dg.AssetCheckSpec("sound", asset="looked_at", blocking=True)],
        code_version="7",
        op_tags={"assay/mark": "here"},
        deps=[each.key for each in upstream],
        output_required=False,
    )
    def looked_at(context: dg.AssetExecutionContext):
        found = look(context)
        seen.append(found)
        yield from found if isinstance(found, list) else []

    result = dg.materialize([*upstream, looked_at], selection=[looked_at], raise_on_error=False, **run)
    return result, seen[0]


def test_tags_say_why_a_run_exists(instance):
    tags = {
        "dagster/sensor_name": "bank_new_data_sensor",
        "dagster/run_key": "a@1",
        "dagster/partition": "2021-01",
        "dagster/will_retry": "true",
        "dagster/retry_number": "1",
        "dagster/from_automation_condition": "true",
        **RANGE,
    }
    run = instance.create_run_for_job(dg.JobDefinition(name="idle", graph_def=dg.GraphDefinition("idle")), tags=tags)
    assert internals.run_tags_of(run) == internals.RunTags(
        sensor="bank_new_data_sensor",
        run_key="a@1",
        partition="2021-01",
        partition_range=("2021-01", "2021-03"),
        by_condition=True,
        will_be_retried=True,
        is_automatic_retry=True,
    )


def test_dagster_sets_the_tags_that_are_read():
    @dg.sensor(job_name="any", name="a_sensor")
    def a_sensor():
        return dg.RunRequest(run_key="k", partition_key="2021-01")

    job = dg.define_asset_job("any", selection="*")
    up = dg.asset(name="up", partitions_def=MONTHS)(lambda: None)
    made = dg.Definitions(assets=[up], jobs=[job], sensors=[a_sensor])
    assert isinstance(job, internals.AssetJob)
    with dg.build_sensor_context(repository_def=made.get_repository_def()) as context:
        (request,) = a_sensor.evaluate_tick(context).run_requests
    assert internals.run_tags_of(dg.DagsterRun(job_name="any", tags=request.tags)).partition == "2021-01"


def test_a_step_is_known_by_every_context():
    class Noting(dg.IOManager):
        def handle_output(self, context, _):
            steps.append(internals.step_of(context))

        def load_input(self, context):
            raise NotImplementedError

    def look(context):
        steps.append(internals.step_of(context))
        return [dg.Output(1)]

    steps = []
    within_step(look, partitions=None, resources={"io_manager": Noting()})
    of_body, of_output = steps
    assert (of_body.key, of_output.key) == ("looked_at", "looked_at")
    assert of_body.run_id == of_output.run_id
    assert of_body.previous_attempts == 0
    assert of_body.tags["assay/mark"] == "here"
    assert not of_body.makes_range


@pytest.mark.parametrize(("run", "makes_range"), [({"partition_key": "2021-01"}, False), ({"tags": RANGE}, True)])
def test_a_step_knows_whether_it_makes_a_range(run, makes_range):
    _, step = within_step(internals.step_of, **run)
    assert step.makes_range is makes_range


def test_a_context_can_be_made_of_another():
    def look(context):
        return dg.AssetExecutionContext(internals.op_context_of(context)).asset_key

    assert within_step(look, partition_key="2021-01")[1] == dg.AssetKey("looked_at")


def test_the_assets_of_a_run_are_those_selected():
    upstream = dg.asset(name="up", partitions_def=MONTHS)(lambda: 1)
    _, keys = within_step(internals.assets_of_run, upstream=[upstream], partition_key="2021-01")
    assert keys == {dg.AssetKey("looked_at")}


@pytest.mark.parametrize("downstream_runs", [True, False])
def test_a_step_knows_of_later_steps_for_its_partitions(downstream_runs):
    seen = []

    @dg.asset(partitions_def=MONTHS)
    def first(context: dg.AssetExecutionContext) -> int:
        seen.append(internals.has_downstream_in_run(context))
        return 1

    @dg.asset(partitions_def=MONTHS)
    def second(first: int) -> int:
        return first

    dg.materialize([first, second], selection=[first, second] if downstream_runs else [first], partition_key="2021-01")
    assert seen == [downstream_runs]


def test_the_code_version_is_the_assets():
    assert within_step(internals.code_version_of, partition_key="2021-01")[1] == "7"


def test_a_backfill_names_the_partitions_of_each_asset(instance):
    upstream = dg.asset(name="up", partitions_def=MONTHS)(lambda: 1)
    graph = dg.Definitions(assets=[upstream]).resolve_asset_graph()
    now, months = time.time(), ["2021-01", "2021-02"]
    data = AssetBackfillData.from_asset_partitions(graph, months, [upstream.key], instance, now, all_partitions=False)
    instance.add_backfill(
        PartitionBackfill("some", BulkActionStatus.REQUESTED, False, {}, now, asset_backfill_data=data)
    )
    tags = {**RANGE, "dagster/backfill": "some"}
    _, added = within_step(internals.added_by_backfill, upstream=[upstream], tags=tags, instance=instance)
    assert added == {"2021-03"}
    assert within_step(internals.added_by_backfill, tags=RANGE)[1] == frozenset()


def test_the_event_of_a_partition_has_the_tags_of_a_run_of_its_own(instance):
    upstream = dg.asset(name="up", partitions_def=MONTHS, code_version="3")(lambda: 1)
    assert dg.materialize([upstream], partition_key="2021-01", instance=instance).success

    @dg.asset(partitions_def=MONTHS, code_version="7")
    def stock(up: int) -> int:
        return up

    dg.materialize([upstream, stock], selection=[stock], partition_key="2021-01", instance=instance)
    (wanted,) = instance.fetch_materializations(dg.AssetKey("stock"), limit=1).records

    def look(context):
        return internals.partition_materialization(context, {"rows": 1}, None, {"up": ["2021-01"]})

    @dg.asset(name="stock", partitions_def=MONTHS, code_version="7")
    def ours(context: dg.AssetExecutionContext, up: int) -> int:
        seen.append(look(context))
        return up

    seen = []
    dg.materialize([upstream, ours], selection=[ours], partition_key="2021-01", instance=instance)
    stock_tags = wanted.asset_materialization.tags
    assert {name: seen[0].tags[name] for name in stock_tags if name in seen[0].tags} == {
        name: value for name, value in stock_tags.items() if name in seen[0].tags
    }
    assert {"dagster/data_version", "dagster/code_version"} <= set(seen[0].tags)
    assert seen[0].partition == "2021-01"


def test_checks_of_a_range_refer_to_the_newest_materialization_and_never_block(instance):
    def look(context):
        one = partition_of_range(context)
        made = dg.AssetMaterialization("looked_at", partition="2021-01")
        context.log_event(made)
        target = internals.newest_materialization(one)
        event, blocks = internals.partition_check(one, dg.AssetCheckResult(passed=False, check_name="sound"), target)
        seen.append((blocks, target.run_id == context.run.run_id))
        return [event, *internals.silent_outputs(context, "no value")]

    seen = []
    result, _ = within_step(look, tags=RANGE, instance=instance, resources={"io_manager": dg.mem_io_manager})
    assert result.success
    assert seen == [(True, True)]
    (evaluation,) = result.get_asset_check_evaluations()
    assert (evaluation.passed, evaluation.blocking) == (False, False)
    assert evaluation.target_materialization_data is not None
    partitions = [event.partition for event in result.get_asset_materialization_events()]
    assert partitions == ["2021-01"], "the output of a range writes no event"


def partition_of_range(context):
    from ml_assets.pipeline.run_context import PartitionContext, Scope

    return PartitionContext(context, "2021-01", Scope())


def test_the_errors_of_a_failure_are_a_chain_of_causes():
    @dg.op
    def failing():
        try:
            {}["inner"]
        except KeyError as error:
            raise ValueError("outer") from error

    @dg.job
    def one():
        failing()

    result = one.execute_in_process(raise_on_error=False)
    (event,) = [each for each in result.all_events if each.is_step_failure]
    outer = internals.error_of(event).cause
    assert isinstance(outer, internals.StoredError)
    assert (outer.cls_name, outer.cause.cls_name) == ("ValueError", "KeyError")
    assert "inner" in outer.cause.message


def test_an_executor_runs_plans_within_a_context(instance):
    during = []

    @contextlib.contextmanager
    def around(instance, run_id):
        during.append(run_id)
        yield
        during.append("over")

    executor = executors.executor_within(dg.in_process_executor, around)
    assert executor.name == dg.in_process_executor.name

    @dg.op
    def working():
        assert during != []
        assert during[-1] != "over"

    @dg.job(executor_def=executor)
    def one():
        working()

    run = instance.create_run_for_job(one)
    assert execute_run(InMemoryJob(one), run, instance).success
    assert during == [run.run_id, "over"]
    configured = executors.executor_within(dg.multiprocess_executor, around).configured({"max_concurrent": 2}, name="m")
    assert configured.name == "m"


def test_small_values_are_stored_beside_the_daemons_cursors(instance):
    internals.store_values(instance, {"assay/x": "1"})
    assert internals.stored_values(instance, {"assay/x", "assay/y"}) == {"assay/x": "1"}


def test_the_watch_of_an_executor_sees_the_run_and_its_events(instance):
    seen = []

    def watch(_instance, run, _log, events):
        for event in events:
            seen.append((run.run_id, event.event_type))
            yield event

    @dg.job(executor_def=executors.executor_watched(dg.in_process_executor, watch))
    def job():
        dg.op(name="idle")(lambda: None)()

    run = instance.create_run_for_job(job)
    assert execute_run(InMemoryJob(job), run, instance).success
    assert (run.run_id, dg.DagsterEventType.STEP_SUCCESS) in seen


def test_events_name_their_asset_their_failed_check_and_how_long_a_step_took():
    spec = dg.AssetCheckSpec("sound", asset="made", partitions_def=MONTHS)

    @dg.asset(check_specs=[spec], partitions_def=MONTHS)
    def made(context):
        context.log_event(dg.AssetObservation("made", partition="2021-01"))
        yield dg.Output(1)
        yield dg.AssetCheckResult(check_name="sound", passed=False)

    events = dg.materialize([made], partition_key="2021-02").all_events
    touched = [each for each in map(internals.touched_asset, events) if each]
    assert touched == [(made.key, "2021-01"), (made.key, "2021-02"), (made.key, "2021-02")]
    assert [each.check_name for each in map(internals.failed_check, events) if each] == ["sound"]
    [success] = [each for each in events if each.event_type is dg.DagsterEventType.STEP_SUCCESS]
    assert internals.seconds_of(success) >= 0


@pytest.mark.parametrize(
    ("name", "expected"), [("materialize", True), ("execute", True), ("launch", True), ("execute_run", False)]
)
def test_commands_of_people_are_known_by_their_names(name, expected):
    assert not internals.is_run_of_command_line()
    with click.Context(click.Command(name), info_name=name):
        assert internals.is_run_of_command_line() is expected


def test_dagsters_commands_have_these_names():
    assert {"materialize"} <= set(asset_cli.commands)
    assert {"execute"} <= set(job_cli.commands)
    assert launch_command.name == "launch"


def test_dagsters_commands_take_selections_by_these_names():
    assert "select" in {option.name for option in asset_cli.commands["materialize"].params}
    assert "assets" in {option.name for option in launch_command.params}


@pytest.mark.parametrize(
    ("tags", "starter"),
    [
        ({"dagster/sensor_name": "a_sensor"}, "sensor a_sensor"),
        ({"dagster/schedule_name": "nightly"}, "schedule nightly"),
        ({"dagster/sensor_name": "conditions", "dagster/from_automation_condition": "true"}, "automation condition"),
        ({"dagster/backfill": "b1"}, "backfill b1"),
        ({}, "user interface or API"),
    ],
)
def test_tags_name_what_started_a_run(tags, starter):
    assert internals.starter_of(dg.DagsterRun(job_name="any", tags=tags)) == starter


def test_the_pipelines_of_a_run_are_those_of_its_assets():
    keys = frozenset({dg.AssetKey(["taxi", "raw_dataset"]), dg.AssetKey(["bank", "raw_dataset"]), dg.AssetKey("own")})
    assert internals.pipelines_of(dg.DagsterRun(job_name="any", asset_selection=keys)) == ("bank", "taxi")
    steps = {"bank__raw_dataset", "idle"}
    assert internals.pipelines_of(dg.DagsterRun(job_name="any", step_keys_to_execute=list(steps))) == ("bank",)
    assert internals.pipelines_of(dg.DagsterRun(job_name="any")) == ()


class Sized(dg.ConfigurableResource[None]):
    size: int
    name: str


def test_a_resource_without_run_config_keeps_its_class_and_values_whatever_a_run_says(monkeypatch):
    monkeypatch.setenv("NAME_OF_IT", "small")
    fixed = internals.without_run_config(Sized(size=3, name=dg.EnvVar("NAME_OF_IT")))
    with dg.build_resources({"sized": fixed}, resource_config={"sized": {"config": {"size": 4}}}) as made:
        assert made.sized == Sized(size=3, name="small")
