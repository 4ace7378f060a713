"""`raw_dataset`: the source's rows, read and typed; judged by no rules but those of `validation.raw`."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from assay.data.dataset import Dataset
from assay.errors import GateRejectedError
from assay.gate.gate import GateVerdict
from assay.gate.raw_rules import passed, run_raw_gate
from assay.reading.source_files import is_same_for_all_partitions, read_rows
from assay.specs import PipelineSpec
from assay.specs.rules import RAW_RULES
from ml_assets.assets.metadata import classes_metadata, dataset_metadata
from ml_assets.pipeline.asset import Stage, pipeline_asset
from ml_assets.pipeline.gate_checks import check_results, check_specs, configured_rules, observe_refusal, rejection
from ml_assets.pipeline.gate_step import as_of, publish_verdict
from ml_assets.pipeline.run_context import asset_key, location_of, partition_of, scope_of
from ml_assets.pipeline.upstream import SOURCE, note_rows, source_input
from resources.artifacts.io_manager import ArtifactIOManager
from resources.asset_rows import source_files
from resources.data_sources import DataSources
from resources.quarantine import Quarantine
from resources.report_site import ReportSite
from resources.schema_registry import SchemaRegistry
from resources.sources.interface import from_the_cache


def build_raw_dataset(spec: PipelineSpec, stage: Stage) -> dg.AssetsDefinition:
    """Return the asset `<pipeline>/raw_dataset`."""
    raw_rules = spec.of_source_rows

    @pipeline_asset(
        spec,
        stage,
        description="Rows of the source, read strictly and converted to the frozen schema.",
        checks=check_specs(raw_rules, asset_key(spec, stage.name), RAW_RULES) if raw_rules is not None else (),
        output_required=raw_rules is None,
        upstream=source_input(spec),
    )
    def raw_dataset(
        context: dg.AssetExecutionContext,
        run_spec: PipelineSpec,
        data_sources: DataSources,
        schema_registry: SchemaRegistry,
        quarantine: Quarantine,
        artifact_io_manager: dg.ResourceParam[ArtifactIOManager],
        report_site: dg.ResourceParam[ReportSite],
        **upstream: Any,
    ) -> Iterator[dg.Output[Dataset] | dg.AssetCheckResult]:
        where, partition, version = location_of(context), partition_of(context), schema_registry.version_of(run_spec)
        spec_of_rows, frozen_before = run_spec.source_dataset, version.frozen() is not None
        with scope_of(context, lasting=is_same_for_all_partitions(spec_of_rows)) as scope:
            opened = source_files(spec_of_rows, partition, data_sources, upstream.get(SOURCE))
            files = scope.once("files", lambda: scope.enter_context(opened))
            with quarantine.refusals(files, run_spec, where=where):
                rows = scope.once("rows", lambda: read_rows(files, spec_of_rows, version, where=where))
                dataset = rows.partition(partition, where=where)
        note_rows(context, artifact_io_manager, spec_of_rows.reference, files[0].version)
        if rows.unseen:
            context.log.warning("no field of the source has these null values: %s", ", ".join(map(repr, rows.unseen)))
        verdict, refusal, results = _judged(context, dataset, run_spec, raw_rules, artifact_io_manager, report_site)
        if refusal is None:
            yield dg.Output(
                passed(dataset, verdict),
                data_version=dg.DataVersion(dataset.fingerprint.digest),
                metadata=dataset_metadata(
                    dataset,
                    [file.uri for file in files],
                    run_spec.dataset.partitions.timezone,
                    frozen_before=frozen_before,
                )
                | ({"source": note} if (note := from_the_cache(files)) else {})
                | ({} if run_spec.features else classes_metadata(run_spec, rows.frozen)),
            )
        yield from results
        if refusal is not None:
            raise refusal

    return raw_dataset


def _judged(
    context: dg.AssetExecutionContext,
    dataset: Dataset,
    run_spec: PipelineSpec,
    declared: PipelineSpec | None,
    artifacts: ArtifactIOManager,
    site: ReportSite,
) -> tuple[GateVerdict | None, GateRejectedError | None, list[dg.AssetCheckResult]]:
    """Judge the rows by `validation.raw` of the run, and publish the verdict; `declared` has the rules with checks."""
    where, partition = location_of(context), partition_of(context) or ""
    verdict = run_raw_gate(dataset, run_spec, where=where, partition=partition, as_of=as_of(context))
    if verdict is None:
        return None, None, []
    shows, name = run_spec.validation.show_values, "raw_validation_report"
    addresses = publish_verdict(
        context,
        artifacts,
        verdict,
        show_values=shows,
        report=name,
        site=site.of(run_spec.space),
    )
    if verdict.accepted is None and not run_spec.space.experiment:
        observe_refusal(context, verdict, addresses)
    refusal = None if verdict.accepted is not None else rejection(verdict, addresses)
    if declared is None:
        return verdict, refusal, []
    return verdict, refusal, list(check_results(verdict.report, addresses, configured_rules(declared, RAW_RULES)))
