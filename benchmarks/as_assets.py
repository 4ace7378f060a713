"""The bank marketing work as Dagster assets, in one process, as `dagster asset materialize` does it.

Does not belong here: measuring.
"""

import json
import os
import sys

import dagster as dg

from assay.results.evaluation_report import EvaluationReport
from definitions import build_definitions
from ml_assets.resource_wiring import resources_for
from resources.settings import Settings


def main(pipeline: str) -> None:
    """Do the work once; print the holdout metrics as JSON."""
    settings = Settings()
    definitions = build_definitions(settings)
    job = definitions.resolve_implicit_global_asset_job_def()
    keys = [key for key in definitions.resolve_all_asset_keys() if key.path[0] == pipeline]
    with dg.DagsterInstance.get() as instance:
        result = job.execute_in_process(asset_selection=keys, instance=instance, raise_on_error=True)
    if not result.success:
        sys.exit("the run failed")
    artifacts = resources_for(settings)["artifact_io_manager"].artifacts()
    print(json.dumps(artifacts.load((pipeline, "evaluation_report"), None, EvaluationReport).metrics))


if __name__ == "__main__":
    os.environ.setdefault("DAGSTER_HOME", os.getcwd())  # noqa: PTH109 - Dagster reads text
    main(sys.argv[1])
