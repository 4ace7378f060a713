"""The main job on real data, in one process: `python -m ml_assets.demo`.

Two pipelines over the flights out of New York in 2013 run from source to promotion; the second round of
`flight_delays` is compared with the champion of the first. The UI shows the results.
"""

import json
import logging
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from assay.results.trained_model import TrainedModel
from assay.shell.summary import Summary
from assay.shell.terminal import show
from assay.specs.space import PRODUCTION
from ml_assets.code_location import build_definitions
from ml_assets.command_terminal import terminal_kept
from ml_assets.console_lines import ShortLines
from ml_assets.pipeline.asset import Phase
from ml_assets.resource_wiring import resources_for
from ml_assets.run_summary import STARTED_BY, Observed, failure_text
from ml_assets.run_values import RunValues, summary_of
from ml_assets.stages import STAGES
from resources.artifacts.store import ArtifactStore
from resources.mlflow.connection import initialise_local_stores
from resources.settings import Settings, let_idle_threads_sleep


@dataclass(frozen=True)
class Round:
    """One model: the months that are ingested, and the month that is its holdout."""

    pipeline: str
    months: tuple[str, ...]
    holdout: str


ROUNDS = (
    Round("flight_delays", ("2013-01", "2013-02", "2013-03"), "2013-03"),
    Round("flight_delays", ("2013-04",), "2013-04"),
    Round("flight_air_time", ("2013-01", "2013-02", "2013-03"), "2013-03"),
)
BACKTEST = "backtest_report"
_INTERRUPTED = 130
"""Exit code, as shells have it for Ctrl-C."""


def main() -> int:
    """Run every round and print the table; returns the process's exit code."""
    started = time.monotonic()
    let_idle_threads_sleep()
    settings = Settings()
    say(f"Stores in {settings.home}")
    initialise_local_stores(settings.tracking_uri)
    definitions = dg.Definitions.merge(build_definitions(settings), dg.Definitions(loggers={"progress": progress}))
    try:
        with dg.DagsterInstance.get() as instance:
            failure = run_all(definitions, instance)
    except KeyboardInterrupt:
        say("The demo was interrupted; `make demo` begins again.")
        return _INTERRUPTED
    if failure:
        say(f"The demo stopped.\n{failure}")
        return 1
    artifacts: ArtifactStore = resources_for(settings)["artifact_io_manager"].artifacts()
    show([summary(artifacts, each, settings) for each in ROUNDS], sys.stdout)
    say(f"Done in {time.monotonic() - started:.0f} s. See it: {pages(settings)}.")
    endpoint = f"http://localhost:{settings.serve_port}"
    say(f"Predict with it: `make serve` ({endpoint}/docs), then\n{curl_line(artifacts, ROUNDS[0], endpoint)}")
    return 0


def run_all(definitions: dg.Definitions, instance: dg.DagsterInstance) -> str:
    """Materialise every round, then what looks back on all of them; returns why a run failed, empty where none did."""
    for each in ROUNDS:
        if failure := run_round(definitions, instance, each):
            return failure
    for pipeline in dict.fromkeys(each.pipeline for each in ROUNDS):
        say(f"{pipeline}: {BACKTEST}")
        if failure := materialize(definitions, instance, [dg.AssetKey([pipeline, BACKTEST])], None):
            return failure
    return ""


def run_round(definitions: dg.Definitions, instance: dg.DagsterInstance, each: Round) -> str:
    """Materialise a round's data, then its model; returns why a run failed, empty where none did."""
    steps = [(Phase.INGESTION, month) for month in each.months] + [(Phase.LEARNING, each.holdout)]
    for phase, partition in steps:
        keys = assets_in(definitions, each.pipeline, phase)
        say(f"{each.pipeline} {partition}: {' -> '.join(key.path[-1] for key in keys)}")
        if failure := materialize(definitions, instance, keys, partition):
            return failure
    return ""


def assets_in(definitions: dg.Definitions, pipeline: str, phase: Phase) -> list[dg.AssetKey]:
    """Return the assets of a phase that a pipeline has, upstream first."""
    present = definitions.resolve_asset_graph().get_all_asset_keys()
    keys = (dg.AssetKey([pipeline, stage.name]) for stage in STAGES if stage.phase is phase)
    return [key for key in keys if key in present]


def materialize(
    definitions: dg.Definitions, instance: dg.DagsterInstance, keys: Sequence[dg.AssetKey], partition: str | None
) -> str:
    """Materialise some assets, of one partition or of none, here; returns why the run failed, empty if it did not.

    Raises:
        KeyboardInterrupt: a person interrupted the run.
    """
    job = definitions.resolve_implicit_global_asset_job_def()
    with terminal_kept():
        result = job.execute_in_process(
            asset_selection=list(keys),
            partition_key=partition,
            instance=instance,
            run_config={"loggers": {"progress": {}}},
            tags={"pipeline": keys[0].path[0], STARTED_BY: "demo"},
            raise_on_error=False,
        )
    observed = Observed()
    for event in result.all_events:
        observed.note(event)
    if observed.interrupted:
        raise KeyboardInterrupt
    return "" if result.success else failure_text(observed) or "the run failed"


def summary(artifacts: ArtifactStore, each: Round, settings: Settings) -> Summary:
    """Return the table of one round."""
    names = {stage.name for stage in STAGES}
    return summary_of(RunValues(artifacts, None, each.pipeline, each.holdout, names), settings, PRODUCTION.name)


def pages(settings: Settings) -> str:
    """Return what shows the results, with its addresses."""
    dagster, mlflow, reports = settings.ui_address, settings.mlflow_address, settings.reports_address
    return f"`make dev` ({dagster}), `make mlflow` ({mlflow}), `make reports` ({reports})"


def curl_line(artifacts: ArtifactStore, each: Round, endpoint: str) -> str:
    """Return a command that asks the endpoint for the prediction of a row; of a model without an example, its page."""
    model = artifacts.load((each.pipeline, "trained_model"), each.holdout, TrainedModel)
    example = model.manifest.intake.example[:1] if model.manifest.intake else ()
    if not example:
        return f"curl {endpoint}/model"
    body = shlex.quote(json.dumps({"rows": example}))
    return f"curl {endpoint}/predict -H 'Content-Type: application/json' -d {body}"


def say(line: str) -> None:
    """Print one line of progress at once."""
    print(line, flush=True)  # noqa: T201 - the demo speaks to a terminal


@dg.logger
def progress(_context: dg.InitLoggerContext) -> logging.Logger:
    """Return the logger of the demo's runs: one short line for each message."""
    logger = logging.getLogger("assay.demo")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.handlers.clear()
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(ShortLines())
    logger.addHandler(handler)
    return logger


if __name__ == "__main__":
    sys.exit(main())
