"""`assay plan`: what a retraining would make, and why; with `--run` it is made."""

import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby

import dagster as dg

from assay.errors import ArtifactNotFoundError, RunFailedError, SpecError
from assay.reading.source_files import read_rows
from assay.shell.flags import Flags
from assay.specs import PipelineSpec
from ml_assets.commands.deployment import Deployment
from ml_assets.pipeline.partitions import partitions_of
from ml_assets.pipeline.run_context import asset_key
from ml_assets.planning import PlannedAsset, Planner, SourceRows
from resources.asset_rows import source_files, stored_rows
from resources.joined_sources import joined_rows

_DG = ("-c", "from dagster_dg_cli.cli import main; main()")
"""What the interpreter runs in place of the script `dg`, which need not be on the path."""


def plan(flags: Flags) -> tuple[bool, str]:
    """Return the plan as a table, and the commands that carry it out; run them if `--run` is given.

    Raises:
        SpecError: the pipeline or the partition is not known.
        AssayError: the store or the source cannot be read.
        RunFailedError: a run of `--run` failed.
    """
    deployment = Deployment()
    spec = deployment.pipeline(flags.pipeline_name)
    planner = Planner(spec, deployment.artifacts, source_rows(deployment, spec))
    planned = planner.plan(partition_to_plan(flags.partition, spec))
    arguments = list(materializations(spec, planned))
    for each in arguments if flags.run else ():
        _run(each)
    shown = [f"dg {shlex.join(each)}" for each in arguments] or ["nothing has to run"]
    return True, "\n".join((*_table(planned), "", *shown))


def materializations(spec: PipelineSpec, planned: Sequence[PlannedAsset]) -> Iterator[tuple[str, ...]]:
    """Yield the arguments of `dg` that run what is planned: of one partition together, the model's last."""
    runs = [each for each in planned if each.action == "run"]
    for partition, assets in groupby(sorted(runs, key=lambda each: each.partition or ""), lambda each: each.partition):
        keys = ",".join(asset_key(spec, each.asset).to_user_string() for each in assets)
        yield ("launch", "--assets", keys, *(("--partition", partition) if partition is not None else ()))


def _run(arguments: Sequence[str]) -> None:
    done = subprocess.run([sys.executable, *_DG, *arguments], check=False, stdout=sys.stderr)  # noqa: S603 - our own words
    if done.returncode:
        raise RunFailedError(
            "a run of the plan failed",
            where=f"dg {shlex.join(arguments)}",
            found=f"exit code {done.returncode}",
            remedy="the lines above say why; correct that, and run the plan again: what was made stays",
        )


def partition_to_plan(given: str | None, spec: PipelineSpec) -> str | None:
    """Return the model's partition: the given one, or the newest that is finished.

    Raises:
        SpecError: it is no finished partition of the pipeline, or has to be given.
    """
    partitions = partitions_of(spec)
    if partitions is None:
        return None
    where = f"{spec.name}, --partition"
    if not isinstance(partitions, dg.TimeWindowPartitionsDefinition):
        if given:
            return given
        raise SpecError("a pipeline with a partition for each object needs --partition", where=where)
    newest = partitions.get_last_partition_key()
    wanted = given or newest
    if wanted is None or not partitions.has_partition_key(wanted):
        raise SpecError(
            "this is no finished partition of the pipeline",
            where=where,
            found=str(wanted),
            expected=f"{partitions.get_first_partition_key()} to {newest}",
        )
    return str(wanted)


def source_rows(deployment: Deployment, spec: PipelineSpec) -> SourceRows:
    """Return what reads a partition's rows as `raw_dataset` would, or a joined source, and names their content.

    It says nothing, an empty name, of an asset that another IO manager keeps.
    """
    sources, registry = deployment.resources["data_sources"], deployment.resources["schema_registry"]

    joins = {join.table: join for join in spec.features.other_sources} if spec.features is not None else {}
    joined: dict[tuple[str, str | None], str] = {}

    def of_joined(partition: str | None, table: str) -> str:
        key = table, partition if "{partition}" in joins[table].source else None
        if key not in joined:
            found = joined_rows(spec, joins[table], partition, sources, registry, where=f"{spec.name}/feature_set")
            joined[key] = found.fingerprint.digest
        return joined[key]

    def data_version(partition: str | None, table: str = "", /) -> str:
        if table:
            return of_joined(partition, table)
        where = f"{spec.name}/raw_dataset" + (f", partition {partition}" if partition else "")
        reference, value = spec.dataset.reference, None
        if reference is not None:
            try:
                value = stored_rows(deployment.artifacts, reference, partition)
            except ArtifactNotFoundError:
                return ""
        with source_files(spec.source_dataset, partition, sources, value) as files:
            rows = read_rows(files, spec.source_dataset, registry.version_of(spec), where=where)
            digest: str = rows.partition(partition, where=where).fingerprint.digest
        return digest

    return data_version


def _table(planned: Sequence[PlannedAsset]) -> Iterator[str]:
    width = max(len(_title(each)) for each in planned)
    yield from (f"{each.action:<10}{_title(each):<{width}}  {each.reason}" for each in planned)


def _title(each: PlannedAsset) -> str:
    return each.asset + (f" {each.partition}" if each.partition is not None else "")
