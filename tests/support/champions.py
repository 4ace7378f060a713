"""Champions of tests: promoted as a run would, without training."""

from resources.mlflow.connection import connect
from resources.mlflow.registry import MlflowModelRegistry


def promote_the_same_files_again(registry: MlflowModelRegistry, name: str) -> str:
    """Register the champion's files as a further version and promote it; returns its number."""
    client, current = connect(registry.tracking_uri), registry.champion(name)
    assert current is not None
    first = client.get_model_version(name, current.version)
    version = client.create_model_version(name, source=first.source, run_id=first.run_id, tags=dict(first.tags)).version
    changes = {"version": str(version), "replaced": current.version, "run_id": "another run"}
    entry = registry.journal(name).append(current.model_copy(update=changes), expected=current)
    registry.versions(name).follow(registry.journal(name))
    return entry.version
