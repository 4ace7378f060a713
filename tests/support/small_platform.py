"""A platform in a folder: real pipeline files, real stores, and Dagster's instance as the platform configures it.

`Templates` makes a platform once for all tests and processes and copies it for each test.
"""

import contextlib
import csv
import fcntl
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import create_execution_plan, execute_run
from dagster._core.execution.plan.state import KnownExecutionState

from definitions import build_definitions
from ml_assets.pipeline.asset import Phase
from ml_assets.resource_wiring import resources_for
from ml_assets.stages import names_in
from ml_assets.step_errors import error_text
from resources.artifacts.store import ArtifactStore
from resources.mlflow.connection import initialise_local_stores
from resources.settings import Settings

ASSETS = names_in(Phase.INGESTION, Phase.LEARNING)
BANK = """\
name: bank
task: binary_classification
dataset:
  source: {source}
  target: y
  columns:
    id: {{role: identifier}}
    note: {{role: text}}
    secret: {{role: categorical, pii: true}}
validation:
  min_rows: 50
  unique: [[id]]
  ranges: {{age: {{min: 17, max: 120}}}}
  allowed: {{job: [admin, nurse, pilot]}}
split: {{by: stratified, test_size: 0.25}}
model: {{candidates: [logistic_regression]}}
tuning: {{n_trials: 3, folds: 2}}
"""
MONTHLY = """\
name: monthly
task: regression
dataset:
  source: {source}
  partitions: {{by: month, column: day, start: "2020-11", end: "2021-06"}}
  target: y
validation: {{min_rows: 10, ranges: {{x: {{min: 0}}}}}}
split: {{by: time, train_partitions: 2}}
model: {{candidates: [ridge]}}
tuning: {{enabled: false}}
"""


def bank_rows(rows: int = 200, seed: int = 7) -> list[dict]:
    """Rows with one column of every kind; `y` follows age and job."""
    draw = random.Random(seed)
    made = []
    for number in range(rows):
        age, job = draw.randint(18, 80), draw.choice(["admin", "nurse", "pilot"])
        likely = 0.9 if age > 50 else 0.15
        made.append(
            {
                "id": f"c{number:05d}",
                "age": age,
                "job": job,
                "loan": draw.choice(["true", "false"]),
                "since": f"20{draw.randint(10, 20)}-0{draw.randint(1, 9)}-1{draw.randint(0, 9)}",
                "note": " ".join(draw.choice(["called", "again", "asked", "later", "angry", "kind"]) for _ in range(6)),
                "secret": draw.choice(["swordfish", "opensesame"]),
                "y": "yes" if draw.random() < likely else "no",
            }
        )
    return made


def monthly_rows(months=("2020-12", "2021-01", "2021-02", "2021-03")) -> list[dict]:
    draw = random.Random(3)
    return [
        {"day": f"{month}-{1 + n % 28:02d}T00:00:00", "x": n, "z": draw.random(), "y": 3 * n + draw.random()}
        for month in months
        for n in range(40)
    ]


def write_csv(path: Path, rows: list[dict]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


@dataclass
class Platform:
    """One user's platform."""

    settings: Settings
    instance: dg.DagsterInstance
    parameters: dict = field(default_factory=dict)

    def pipeline(self, text: str, source: Path | str) -> None:
        name = text.split("\n", 1)[0].removeprefix("name: ")
        (self.settings.pipelines_dir / f"{name}.yaml").write_text(text.format(source=source))

    @property
    def definitions(self) -> dg.Definitions:
        return build_definitions(self.settings)

    @property
    def resources(self) -> dict:
        return resources_for(self.settings)

    def materialize(
        self,
        *assets: str,
        partition: str | None = None,
        parameters: dict | None = None,
        tags: dict | None = None,
        experiment: bool = False,
    ):
        """Materialise assets such as `bank/raw_dataset`, or all of `bank/*`; never raises.

        A run with parameters changes production, which most tests are about; with `experiment` it has its own space.
        """
        definitions = self.definitions
        keys = [key for key in definitions.resolve_all_asset_keys() if selected(key, assets)]
        config = run_config(parameters, experiment=experiment)
        return definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            asset_selection=keys,
            partition_key=partition,
            instance=self.instance,
            tags=tags,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}, **config},
            raise_on_error=False,
        )

    def materialize_range(
        self,
        *assets: str,
        first: str,
        last: str,
        parameters: dict | None = None,
        tags: dict | None = None,
        experiment: bool = False,
    ):
        """Materialise assets for a range of partitions in one run; never raises."""
        definitions = self.definitions
        keys = [key for key in definitions.resolve_all_asset_keys() if selected(key, assets)]
        config = run_config(parameters, experiment=experiment)
        return definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            asset_selection=keys,
            instance=self.instance,
            tags={
                "dagster/asset_partition_range_start": first,
                "dagster/asset_partition_range_end": last,
                **(tags or {}),
            },
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}, **config},
            raise_on_error=False,
        )

    def resumed(self, run_id: str):
        """Run again, from its failure, a run that failed; never raises."""
        failed = self.instance.get_run_by_id(run_id)
        job = self.definitions.resolve_implicit_global_asset_job_def().get_subset(
            asset_selection=failed.asset_selection
        )
        steps, state = KnownExecutionState.build_resume_retry_reexecution(self.instance, failed)
        plan = create_execution_plan(job, failed.run_config, steps, known_state=state, tags=failed.tags)
        run = self.instance.create_run_for_job(
            job,
            execution_plan=plan,
            run_config=failed.run_config,
            tags=failed.tags | {"dagster/is_resume_retry": "true"},
            root_run_id=failed.root_run_id or failed.run_id,
            parent_run_id=failed.run_id,
            asset_selection=failed.asset_selection,
        )
        return execute_run(InMemoryJob(job), run, self.instance)

    @property
    def artifacts(self) -> ArtifactStore:
        # without the definitions of all pipelines, which take longer than most reads
        return resources_for(self.settings)["artifact_io_manager"].artifacts()


@contextlib.contextmanager
def instance_in(folder: Path) -> Iterator[dg.DagsterInstance]:
    """Give a Dagster instance whose storage is in a folder, of the platform's class: Dagster's own takes longer to make."""
    storage = {
        "module": "resources.instance_storage",
        "class": "SafeSqliteStorage",
        "config": {"base_dir": str(folder)},
    }
    # nobody reads what steps print; Dagster would start four processes for each run to capture it
    logs = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
    overrides = {"storage": {"custom": storage}, "compute_logs": logs}
    with dg.instance_for_test(overrides=overrides) as instance:
        yield instance


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Platform]:
    """Give the platform in a folder, which is the working directory meanwhile; what is not there is made."""
    (folder / "pipelines").mkdir(parents=True, exist_ok=True)
    settings = Settings(home=folder / "home", pipelines_dir=folder / "pipelines", git_sha="abc123", run_production="on")
    with contextlib.chdir(folder), instance_in(folder / "dagster") as instance:
        yield Platform(settings, instance)


@dataclass(frozen=True)
class Templates:
    """Platforms that are made once and copied.

    Attributes:
        root: a folder that all test processes of a session share.
    """

    root: Path

    def copied(self, name: str, folder: Path, make: Callable[[Path], None]) -> None:
        """Copy a template's files into a folder; `make` fills the template's folder when it is asked for first."""
        self.root.mkdir(exist_ok=True)
        template, ready = self.root / name, self.root / f"{name}.ready"
        with (self.root / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not ready.exists():
                shutil.rmtree(template, ignore_errors=True)
                template.mkdir()
                make(template)
                ready.touch()
        shutil.copytree(template, folder, dirs_exist_ok=True)
        for database in folder.rglob("mlflow.db"):
            relocate(database, str(template), str(folder))

    def empty_mlflow(self, folder: Path) -> None:
        """Copy MLflow's database with its tables, which takes seconds to make, into a folder."""
        self.copied("mlflow", folder, lambda made: initialise_local_stores(f"sqlite:///{made}/mlflow.db"))


def relocate(database: Path, old: str, new: str) -> None:
    """Replace a folder in every text of a database: MLflow records where its files are."""
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        tables = connection.execute("select name from sqlite_master where type = 'table'").fetchall()
        for (table,) in tables:
            for _, column, *_ in connection.execute(f'pragma table_info("{table}")').fetchall():
                changed = f'"{column}" = replace("{column}", ?, ?)'
                connection.execute(f'update "{table}" set {changed} where instr("{column}", ?)', (old, new, old))


def run_config(parameters: dict | None, *, experiment: bool = False) -> dict:
    """Return the run config of a run with parameters, in production unless it is an experiment."""
    if not parameters:
        return {}
    where = {} if experiment else {"space": "production"}
    return {"resources": {"run_parameters": {"config": where | parameters}}}


def selected(key: dg.AssetKey, assets: tuple[str, ...]) -> bool:
    name = key.to_user_string()
    return any(name == asset or (asset.endswith("*") and name.startswith(asset[:-1])) for asset in assets)


def failure(result):
    """Return the first failure of a run as text: the typed error in its chain, or else its root."""
    event = next(event for event in result.all_events if event.is_step_failure)
    return error_text(event.event_specific_data.error)
