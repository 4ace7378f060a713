"""The rows of a source that is an asset, as a file that is read like any other: its value in a step, or as stored."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from assay.data.dataset import Dataset, ValidatedDataset
from assay.data.fingerprint import fingerprint
from assay.errors import ArtifactNotFoundError, DataContractError, SourceNotFoundError, SpecError
from assay.reading.defects import require_unique
from assay.scratch import scratch_folder
from assay.specs.dataset import DataFormat, DatasetSpec
from assay.specs.references import Reference
from resources.artifacts.own_tables import table_of
from resources.artifacts.store import ArtifactStore
from resources.data_sources import DataSources
from resources.sources.interface import FetchedFile
from resources.sources.row_spool import write_arrow
from resources.store.commit_record import Commit


@contextmanager
def source_files(
    spec: DatasetSpec, partition: str | None, sources: DataSources, value: Any = None
) -> Iterator[list[FetchedFile]]:
    """Give the files of a source, for the length of a `with`.

    Args:
        spec: the dataset.
        partition: its key; None without partitions.
        sources: fetch the files of a source that is no asset.
        value: of the asset that is the source; tables by partition where there are several.

    Raises:
        SourceError: the source cannot be read, or no partition of the asset is made.
        DataContractError: the value of the asset is no table.
        SpecError: the source became an asset by the parameters of a run.
    """
    if spec.reference is None:
        with sources.fetched(spec, partition) as files:
            yield files
        return
    if value is None:
        raise SpecError(
            "the parameters of a run cannot make an asset its source, as the graph of assets has no such dependency",
            where="data_source",
            found=spec.source,
            remedy="write the source into the pipeline file",
        )
    with scratch_folder("asset") as folder:
        yield [file_of(value, spec.source, folder)]


def file_of(value: Any, uri: str, folder: str | Path) -> FetchedFile:
    """Write the rows of an asset to a file.

    Raises:
        DataContractError: the value is no table.
        MalformedDataError: two columns have one name.
    """
    table = _rows_of(value, uri)
    require_unique(table.column_names, name=uri, remedy="give each column a name of its own")
    path = Path(folder, "rows.arrow")
    write_arrow(path, table.schema, table.to_batches())
    return FetchedFile(path=path, uri=uri, version=fingerprint(table).digest, data_format=DataFormat.FEATHER)


def stored_rows(artifacts: ArtifactStore, reference: Reference, partition: str | None) -> Dataset:
    """Return the newest stored rows of an asset's partition; those of the whole where it has no partitions.

    Raises:
        ArtifactNotFoundError: the deployment's store has none.
        GateRejectedError: the newest are a refusal.
        DigestMismatchError: the stored rows differ from the published ones.
    """
    return artifacts.read(stored_version(artifacts, reference, [partition]), Dataset)


def stored_version(artifacts: ArtifactStore, reference: Reference, partitions: Iterable[str | None]) -> Commit:
    """Return the newest version of the first of some partitions that is stored; of the whole where none is.

    Raises:
        ArtifactNotFoundError: the deployment's store has none.
        GateRejectedError: the newest is a refusal.
    """
    tried: str | None = None
    for partition in (*partitions, None):
        if artifacts.log.newest(reference.key, partition) is not None:
            return artifacts.newest(reference.key, partition)
        tried = tried or partition
    raise ArtifactNotFoundError(
        "the rows of this asset are not in the deployment's store",
        where="/".join(reference.key) + (f", partition {tried}" if tried else ""),
        remedy="materialise the asset first; rows that another IO manager keeps are given to raw_dataset and "
        "feature_set in runs of Dagster alone",
    )


def _rows_of(value: Any, uri: str) -> pa.Table:
    if isinstance(value, Dataset | ValidatedDataset):
        return value.table
    if not isinstance(value, Mapping):
        return table_of(value, where=uri)
    tables = [_rows_of(value[key], uri) for key in sorted(value)]
    if not tables:
        raise SourceNotFoundError("the asset has no partition for these rows", where=uri, remedy="materialise it first")
    try:
        return pa.concat_tables(tables)
    except pa.ArrowInvalid as error:
        raise DataContractError(
            "the partitions of an asset have different columns", where=uri, found=str(error).partition("\n")[0]
        ) from error
