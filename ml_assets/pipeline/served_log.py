"""What the endpoint has served, from the store: the log of predictions, and the versions that made them."""

import datetime as dt
from collections.abc import Iterable

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from assay.data.dataset import Dataset
from assay.errors import DigestMismatchError, TrackingError
from assay.live.comparison import current_experiment
from assay.promotion.champion import CurrentChampion
from assay.serving.prediction_log import EXPERIMENT, VERSION, joined, without_repetitions
from assay.specs import PipelineSpec
from resources.artifacts.logged_days import commit_of_day, has_taken, rows_of_day
from resources.artifacts.store import ArtifactStore
from resources.mlflow.registry import MlflowModelRegistry
from resources.prediction_log import keys_by_day


def served_log(artifacts: ArtifactStore, spec: PipelineSpec, newest: int) -> pa.Table:
    """Return the logged predictions of the newest days, and of all days of the newest experiment, each once.

    Args:
        artifacts: the store.
        spec: the pipeline.
        newest: how many days on which something was served.

    Raises:
        StorageError: the store did not answer, or an object of the log is damaged.
    """
    tables: list[pa.Table] = []
    experiment = ""
    for day, keys in sorted(keys_by_day(artifacts.store, spec.name).items(), reverse=True):
        rows = _of_day(artifacts, spec, day, keys)
        experiment = experiment or current_experiment(rows)
        if len(tables) >= newest and (not experiment or experiment not in rows.column(EXPERIMENT).to_pylist()):
            break
        tables.append(rows)
    return without_repetitions(joined(tables))[0]


def _of_day(artifacts: ArtifactStore, spec: PipelineSpec, day: dt.date, keys: list[str]) -> pa.Table:
    """Return a day's rows: from its partition of `prediction_log` where that holds the same objects, else from them."""
    commit = commit_of_day(artifacts, spec.name, day)
    if commit is not None and has_taken(commit, keys):
        return artifacts.read(commit, Dataset).table
    return rows_of_day(artifacts, spec.name, day, keys)


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
