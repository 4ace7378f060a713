"""What the endpoint has served, from the store: the log of predictions, and the versions that made them."""

from collections.abc import Iterable

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from assay.errors import DigestMismatchError, TrackingError
from assay.promotion.champion import CurrentChampion
from assay.serving.prediction_log import VERSION, joined, without_repetitions
from assay.specs import PipelineSpec
from resources.artifacts.store import ArtifactStore
from resources.mlflow.registry import MlflowModelRegistry
from resources.prediction_log import all_keys, rows_of


def served_log(artifacts: ArtifactStore, spec: PipelineSpec) -> pa.Table:
    """Return every logged prediction once, in the order of time.

    Raises:
        StorageError: the store did not answer, or an object of the log is damaged.
    """
    tables = [rows_of(artifacts.store, key) for key in all_keys(artifacts.store, spec.name)]
    return without_repetitions(joined(tables))[0]


def versions_in(log: pa.Table) -> list[str]:
    """Return the versions of a log, in order."""
    return sorted(pc.unique(log.column(VERSION)).to_pylist(), key=lambda version: (len(version), version))


def loaded_versions(
    context: dg.AssetExecutionContext, registry: MlflowModelRegistry, spec: PipelineSpec, versions: Iterable[str]
) -> dict[str, CurrentChampion]:
    """Return the models of versions that the registry still has, verified."""
    name, found = spec.registered_name, dict[str, CurrentChampion]()
    history = registry.history(name)
    for version in versions:
        registered = registry.versions(name).version(version)
        if registered is None:
            context.log.warning("%s: version %s is not in the registry any more", name, version)
            continue
        entry = history.entry_of(version) or registry.entry_of(registered, "adopted")
        try:
            found[version] = CurrentChampion(registry.loaded(registered, entry), entry)
        except (TrackingError, DigestMismatchError) as error:
            context.log.warning("%s: version %s cannot be loaded: %s", name, version, error.what)
    return found
