"""Weights & Biases: the MLflow runs that a run tracked, mirrored when it ends; MLflow stays what the platform reads."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from resources.mlflow.connection import connect
from resources.mlflow.pages import page_of
from resources.observers.interface import EndedRun, EndedStep, ObserverKind, StartedStep
from resources.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_OF_MLFLOW = "mlflow."


def _open(settings: Settings) -> "WandbMirror":
    mode: Literal["offline", "online"] = "online" if settings.wandb == "online" else "offline"
    return WandbMirror(mode, settings.home, settings.tracking_uri, settings.mlflow_address)


WANDB = ObserverKind(
    name="Weights & Biases",
    setting="ASSAY_WANDB",
    extra="wandb",
    module="wandb",
    wanted=lambda settings: settings.wandb != "off",
    open=_open,
)


class WandbMirror:
    """Mirrors the MLflow runs of one run of Dagster.

    Args:
        mode: whether files are written, or sent.
        folder: below which `wandb/` has the files.
        tracking_uri: of MLflow.
        pages: address of MLflow's pages, for links.
    """

    def __init__(self, mode: Literal["offline", "online"], folder: Path, tracking_uri: str, pages: str) -> None:
        self._mode, self._folder, self._tracking_uri, self._pages = mode, folder, tracking_uri, pages
        self._found: dict[str, str] = {}

    def step_started(self, step: StartedStep) -> None:
        """Nothing is tracked yet."""

    def step_ended(self, ended: EndedStep) -> None:
        """Take note of the MLflow runs that the step named."""
        self._found |= dict.fromkeys(ended.mlflow_runs, ended.step.pipeline)

    def run_ended(self, ended: EndedRun) -> None:
        """Mirror each of them as it is now: parameters, metrics with their series, tags, and links back."""
        if not self._found:
            return
        client = connect(self._tracking_uri)
        for run_id, pipeline in self._found.items():
            self._mirror(client, client.get_run(run_id), pipeline, ended.run.page)

    def _mirror(self, client: "MlflowClient", tracked: "Run", pipeline: str, dagster: str) -> None:
        import wandb

        info, data = tracked.info, tracked.data
        experiment = client.get_experiment(info.experiment_id).name
        links = {"mlflow_run": page_of(self._pages, f"experiments/{info.experiment_id}/runs/{info.run_id}")}
        tags = {name: text for name, text in data.tags.items() if not name.startswith(_OF_MLFLOW)}
        mirrored = wandb.init(
            project=experiment.replace("/", "-"),
            id=info.run_id,
            name=info.run_name,
            tags=[pipeline],
            config={**data.params, "mlflow_tags": tags, **links, "dagster_run": dagster},
            notes=links["mlflow_run"],
            mode=self._mode,
            dir=self._folder,
            resume="allow" if self._mode == "online" else None,
            reinit="create_new",  # a run of the user's own in this process stays as it is
            settings=_quiet(),
        )
        for step, values in sorted(_series(client, tracked).items()):
            mirrored.log(values, step=step)
        mirrored.summary.update(data.metrics)
        mirrored.finish(exit_code=0 if info.status == "FINISHED" else 1)


def _quiet() -> Any:
    """Return settings by which wandb prints nothing and collects nothing of the machine, the code or the packages."""
    import wandb

    return wandb.Settings(
        silent=True,
        console="off",
        disable_git=True,
        disable_code=True,
        disable_job_creation=True,
        x_disable_meta=True,
        x_disable_stats=True,
        x_save_requirements=False,
    )


def _series(client: "MlflowClient", tracked: "Run") -> dict[int, dict[str, float]]:
    """Return the values of metrics with several steps, by step."""
    by_step: dict[int, dict[str, float]] = {}
    for name in tracked.data.metrics:
        points = {point.step: point.value for point in client.get_metric_history(tracked.info.run_id, name)}
        for step, value in points.items() if len(points) > 1 else ():
            by_step.setdefault(step, {})[name] = value
    return by_step
