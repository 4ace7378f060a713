"""What a run logs is short on the terminal of a command, and complete elsewhere."""

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run

from assay.errors import SpecError
from ml_assets.console_lines import ShortLines, write_console_by
from ml_assets.dagster_executors import executor_watched


def shown(body, capsys, run_config=None):
    """Return what a job of one operation prints to the console, written by short lines."""

    def watch(_instance, _run, log, events):
        write_console_by(log, ShortLines())
        yield from events

    def step(context):
        write_console_by(context.log, ShortLines())
        body(context)

    @dg.job(
        executor_def=executor_watched(dg.in_process_executor, watch),
        logger_defs={"json": dg.json_console_logger, "console": dg.colored_console_logger},
    )
    def job():
        dg.op(name="made")(step)()

    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(job, run_config=run_config)
        execute_run(InMemoryJob(job), run, instance)
    printed = capsys.readouterr()
    return [line for line in (printed.out + printed.err).splitlines() if " DEBUG " not in line]


def test_messages_stand_alone_and_warnings_are_named(capsys):
    def body(context):
        context.log.info("trial 1")
        context.log.warning("too few rows")

    lines = shown(body, capsys)
    assert "    trial 1" in lines
    assert "    WARNING: too few rows" in lines


def test_of_a_typed_failure_the_end_has_the_error(capsys):
    def body(_context):
        raise SpecError("it cannot be", where="here", found="a", expected="b", remedy="change a")

    lines = shown(body, capsys)
    assert '    ERROR: Execution of step "made" failed.' in lines
    assert not any("it cannot be" in line or "Traceback" in line or 'File "' in line for line in lines)


def test_of_an_interrupt_no_frame_is_shown(capsys):
    def body(_context):
        raise dg.DagsterExecutionInterruptedError

    lines = shown(body, capsys)
    assert any("interrupted" in line for line in lines)
    assert not any("Stack Trace" in line or 'File "' in line for line in lines)


def test_of_a_defect_every_frame_is_shown(capsys):
    def body(_context):
        raise ZeroDivisionError("a defect")

    text = "\n".join(shown(body, capsys))
    assert "a defect" in text
    assert f'File "{__file__}"' in text


def test_a_logger_that_somebody_asked_for_is_left_alone(capsys):
    lines = shown(lambda context: context.log.info("trial 1"), capsys, {"loggers": {"json": {}}})
    assert any(line.startswith("{") and "trial 1" in line for line in lines)
