"""`prediction_log`: the predictions that the endpoint made on a day, each once, with what the arms got of them.

The endpoint's processes write small objects; a run puts those of a day together. Objects that come later are found by
the sensor, and a further run publishes the day again: the same objects make the same rows.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from assay.data.dataset import Dataset
from assay.markdown import escaped
from assay.serving.daily_log import DailyLog, arms_plot, daily_log
from assay.serving.sample_ratio import ALPHA, SampleRatio, mismatches
from assay.specs import PipelineSpec
from ml_assets.assets.metadata import image, records_table, warning_check
from ml_assets.dagster_internals import step_of
from ml_assets.pipeline.asset import Stage, pipeline_asset
from ml_assets.pipeline.logged_days import day_of, days_of
from ml_assets.pipeline.run_context import asset_key
from resources.artifacts.io_manager import ArtifactIOManager
from resources.artifacts.logged_days import OBJECTS, digest_of_objects, rows_of_day
from resources.prediction_log import keys_of_day
from resources.schema_registry import SchemaRegistry

RATIO, UNIQUE = "arms_as_declared", "request_ids_not_reused"
_CHECKS = {
    RATIO: "The arms got the shares of the keys that were declared (exact binomial test).",
    UNIQUE: "No request id was given to different rows.",
}


def build_prediction_log(spec: PipelineSpec, stage: Stage) -> dg.AssetsDefinition:
    """Return the asset `<pipeline>/prediction_log`, with a partition for each day in UTC, and its checks."""
    asset, days = asset_key(spec, stage.name), days_of(spec)

    @pipeline_asset(
        spec,
        stage,
        description="The predictions that the endpoint made on a day, by version and arm.",
        partitions=days,
        checks=[
            dg.AssetCheckSpec(name, asset=asset, description=text, partitions_def=days)
            for name, text in _CHECKS.items()
        ],
        output_required=False,
    )
    def prediction_log(
        context: dg.AssetExecutionContext,
        run_spec: PipelineSpec,
        schema_registry: SchemaRegistry,
        artifact_io_manager: dg.ResourceParam[ArtifactIOManager],
    ) -> Iterator[dg.Output[Dataset] | dg.AssetCheckResult]:
        artifacts, day = artifact_io_manager.artifacts(), day_of(context.partition_key)
        keys = keys_of_day(artifacts.store, run_spec.name, day)
        if not keys:
            context.log.info("no predictions were logged on %s", context.partition_key)
            for name in _CHECKS:
                yield warning_check(name, "no predictions were logged", passed=True)
            return
        frozen = schema_registry.version_of(run_spec).frozen()
        rows = rows_of_day(artifacts, run_spec.name, day, keys)
        made = daily_log(rows, frozen.dtypes if frozen else {}, run_spec.dataset.schema_version)
        facts = {OBJECTS: digest_of_objects(keys)}
        artifact_io_manager.add_facts(context.run.run_id, step_of(context).key, facts)
        yield dg.Output(
            made.dataset,
            data_version=dg.DataVersion(made.dataset.fingerprint.digest),
            metadata=_metadata(made, len(keys), f"{run_spec.name}, {context.partition_key}"),
        )
        yield from _check_results(made)

    return prediction_log


def _metadata(made: DailyLog, objects: int, where: str) -> Mapping[str, Any]:
    table = made.dataset.table
    return {
        "dagster/row_count": table.num_rows,
        "objects": objects,
        "repeated requests": made.repeated,
        "predictions": records_table(made.counts),
        "shares of the arms": records_table([_shown(each) for each in made.ratios]),
        "plot/arms": image(arms_plot(table, f"Answered rows by version and arm\n{where}"), "answered rows"),
    }


def _shown(ratio: SampleRatio) -> dict[str, Any]:
    return {
        "experiment": ratio.experiment,
        "keys": ratio.keys,
        "declared share": ratio.share,
        "share found": ratio.found,
        "p": ratio.probability,
    }


def _check_results(made: DailyLog) -> Iterator[dg.AssetCheckResult]:
    wrong = mismatches([*made.ratios])
    yield warning_check(RATIO, escaped(_sentence(wrong, made.ratios)), passed=not wrong)
    reused = f"{made.reused:,} rows have the request id of other rows, and are left out: each request needs its own"
    yield warning_check(UNIQUE, reused if made.reused else "each request id is of one request", passed=not made.reused)


def _sentence(wrong: Sequence[SampleRatio], ratios: Sequence[SampleRatio]) -> str:
    if not ratios:
        return "no challenger answered"
    shown = "; ".join(
        f"{each.experiment}: {each.found:.4g} of {each.keys:,} keys, "
        f"{each.share:g} declared (p = {each.probability:.2g})"
        for each in wrong or ratios
    )
    return f"{shown}: at p < {ALPHA:g} a comparison of the arms is not fair" if wrong else shown
