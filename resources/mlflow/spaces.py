"""What a space has in MLflow: registered models by their suffix, and runs by their tag."""

from resources.mlflow.connection import all_pages, as_tracking_error, connect
from resources.mlflow.tracker import SPACE_TAG


def remove_tracked(tracking_uri: str, experiment_prefix: str, space: str) -> list[str]:
    """Delete the registered models and runs of a space; return what was deleted. Runs can be restored in MLflow.

    Raises:
        TrackingError: MLflow failed; called again, it goes on.
    """
    client, removed = connect(tracking_uri), []
    with as_tracking_error(tracking_uri, f"what the space {space} has in MLflow cannot be deleted"):
        for model in list(all_pages(client.search_registered_models, filter_string=f"name LIKE '%-{space}'")):
            client.delete_registered_model(model.name)
            removed.append(f"registered model {model.name}")
        experiments = all_pages(client.search_experiments, filter_string=f"name LIKE '{experiment_prefix}/%'")
        found = [str(experiment.experiment_id) for experiment in experiments]
        tagged = f"tags.`{SPACE_TAG}` = '{space}'"
        for run in list(all_pages(client.search_runs, experiment_ids=found, filter_string=tagged)) if found else ():
            client.delete_run(run.info.run_id)
            removed.append(f"run {run.info.run_id}")
    return removed
