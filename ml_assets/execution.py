"""How the steps of a run are executed."""

import dagster as dg

from ml_assets.supervision.processes import supervised_executor
from resources.settings import Settings

# the libraries whose import dominates the start of a step
_PRELOADED = ["pandas", "pyarrow.parquet", "sklearn.pipeline", "sklearn.ensemble", "optuna", "mlflow", "ml_assets"]


def executor_for(settings: Settings) -> dg.ExecutorDefinition:
    """Return the executor that the settings name.

    `in_process` costs least and suits the command line and the demo; `forkserver` isolates a step's crash from the run
    at the price of one warm process for each step; `multiprocess` starts each process cold.
    """
    in_process = settings.executor == "in_process"
    stock = dg.in_process_executor if in_process else dg.multiprocess_executor
    executor = supervised_executor(stock) if settings.supervises_processes else stock
    if in_process:
        return executor
    config: dict[str, object] = {"max_concurrent": settings.max_concurrent}
    if settings.executor == "forkserver":
        config["start_method"] = {"forkserver": {"preload_modules": _PRELOADED}}
    return executor.configured(config, name=settings.executor)
