"""How the steps of a run are executed: the one place that chooses.

Does not belong here: which runs are started.
"""

import dagster as dg

from ml_assets.supervision.run_process import supervised_executor
from resources.settings import Settings

# the libraries whose import dominates the start of a step
_PRELOADED = ["pandas", "pyarrow.parquet", "sklearn.pipeline", "sklearn.ensemble", "optuna", "mlflow", "ml_assets"]


def executor_for(settings: Settings) -> dg.ExecutorDefinition:
    """Return the executor that the settings name.

    In-process costs least and suits the command line and the demo; forkserver keeps a step's crash away from the
    daemon's run at the price of one warm process for each step; multiprocess starts cold.
    """
    if settings.executor == "in_process":
        return supervised_executor(dg.in_process_executor)
    config: dict[str, object] = {"max_concurrent": settings.max_concurrent}
    if settings.executor == "forkserver":
        config["start_method"] = {"forkserver": {"preload_modules": _PRELOADED}}
    return supervised_executor(dg.multiprocess_executor).configured(config, name=settings.executor)
