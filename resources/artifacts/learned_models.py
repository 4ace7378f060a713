"""Which stored models have learned from some rows."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from assay.data.frames import feature_frame
from assay.errors import ArtifactExpiredError, DataContractError
from assay.results.trained_model import ModelManifest
from assay.scratch import scratch_folder
from resources.artifacts.forget_journal import LearnedModel
from resources.artifacts.store import ArtifactStore
from resources.champion_journal import journals_in
from resources.store.commit_record import Commit, described
from resources.store.expiry import Identity, inputs_of

if TYPE_CHECKING:
    import pandas as pd

_MODEL = "trained_model"
_CONTINUED = "incremental"


def learned_models(
    artifacts: ArtifactStore, series: Sequence[Sequence[Commit]], rows: Mapping[Identity, pa.Table]
) -> Iterator[LearnedModel]:
    """Yield the models that have learned from rows of table versions, oldest first.

    A model that read such a version has not learned from a row that was held out, by the rule in its manifest, unless
    it was fitted again on all rows; without a rule it counts. A continued model also learned what its base did: for it
    the rule decides over all these rows.

    Args:
        artifacts: the store.
        series: the versions of each asset's partition; the versions of models among them are searched.
        rows: of the versions of tables that hold some.
    """
    registered = _registrations(artifacts)
    for history in series if rows else ():
        for commit in history:
            if commit.codec == _MODEL and (found := _learned(artifacts, commit, rows)) is not None:
                names, is_champion = registered.get(commit.data_version, ((), False))
                yield LearnedModel(model=described(commit), registered=names, is_champion=is_champion, shows_rows=found)


def _registrations(artifacts: ArtifactStore) -> dict[str, tuple[tuple[str, ...], bool]]:
    """Return registered names and versions by the digest of their files, and whether one is a current champion."""
    found: dict[str, tuple[tuple[str, ...], bool]] = {}
    for journal in journals_in(artifacts.store):
        history = journal.history()
        current = history.champion.version if history.champion else None
        for entry in history.entries:
            names, is_champion = found.get(entry.digest, ((), False))
            names = tuple(dict.fromkeys((*names, f"{entry.registered_name} version {entry.version}")))
            found[entry.digest] = (names, is_champion or entry.version == current)
    return found


def _learned(artifacts: ArtifactStore, commit: Commit, rows: Mapping[Identity, pa.Table]) -> bool | None:
    """Return whether a model's input example shows one of the rows; None where it has not learned from any."""
    from assay.learning.persistence import load_facts

    read = set(inputs_of(commit))
    try:
        with scratch_folder("model") as folder:
            artifacts.write_files(commit, Path(folder))
            manifest, example = load_facts(Path(folder))
    except ArtifactExpiredError:  # its record still says what it has read
        return False if read & rows.keys() else None
    is_continued = manifest.scenario_applied == _CONTINUED
    candidates = [
        (partition, table)
        for (asset, partition, number), table in rows.items()
        if asset[0] == commit.asset[0] and (is_continued or (asset, partition, number) in read)
    ]
    learned = [table for partition, table in candidates if _may_have_learned(manifest, partition, table)]
    return any(_shows(example, table, manifest) for table in learned) if learned else None


def _may_have_learned(manifest: ModelManifest, partition: str | None, table: pa.Table) -> bool:
    keys = np.full(table.num_rows, partition or "", dtype=object)
    learned = manifest.deployed_may_have_learned(table, keys, time_partitions=False)
    return learned is None or bool(learned.any())


def _shows(example: "pd.DataFrame", table: pa.Table, manifest: ModelManifest) -> bool:
    """Return whether an example holds a row of a table; columns marked `pii` are masked in it."""
    names = [column.name for column in manifest.features.columns if not column.pii]
    try:
        features = feature_frame(table, manifest.features)[names].astype(object)
    except DataContractError:  # rows that the model could not have read
        return False
    shown = example[names].astype(object)
    return any(
        bool(((features == row) | (features.isna() & row.isna())).all(axis=1).any()) for _, row in shown.iterrows()
    )
