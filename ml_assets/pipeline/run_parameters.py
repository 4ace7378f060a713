"""The parameters of one run, settable in the Launchpad and by `--config-json`."""

import json
from typing import Any

import dagster as dg
from pydantic import Field, ValidationError

from assay.errors import SpecError
from assay.specs import PipelineSpec, RunOverrides, apply_overrides
from assay.specs.loading import explain


class RunParameters(dg.ConfigurableResource[None]):
    """Overrides of the pipeline file for one run; every default is 'as the file says'."""

    data_source: str | None = Field(default=None, description="Path, s3://, https:// or demo:// to read instead.")
    data_format: str | None = Field(default=None, description="auto, csv, tsv, parquet, json or jsonl.")
    input_schema_version: int | None = Field(default=None, description="Frozen schema to read against.")
    target_column: str | None = Field(default=None, description="Column to predict instead.")
    data_validation: dict[str, Any] = Field(default={}, description="Rules laid over `validation`, key by key.")
    model_name: str | None = Field(default=None, description="The only model family, or an import path.")
    model_version: str | None = Field(default=None, description="Label of the model's design.")
    hyperparameters: dict[str, Any] = Field(default={}, description="Base values laid over the file's.")
    tuning: dict[str, Any] = Field(
        default={}, description="enabled, n_trials, timeout, folds, search_space: {name: {type, low, high, ...}}."
    )
    training_scenario: str | None = Field(default=None, description="full or incremental.")
    test_size: float | None = Field(default=None, description="Share of the holdout, between 0 and 1.")
    random_state: int | None = Field(default=None, description="Seed of split, search and fit.")
    target_output_path: str | None = Field(default=None, description="Folder or s3:// prefix for an export.")

    def applied_to(self, spec: PipelineSpec, context: dg.AssetExecutionContext) -> PipelineSpec:
        """Return the pipeline as this run sees it.

        Args:
            spec: the pipeline as its file says.
            context: the step's context, to see what else the run materialises.

        Returns:
            The pipeline with this run's parameters.

        Raises:
            SpecError: a parameter is not acceptable, or the run spans several pipelines.
        """
        overrides = self.as_overrides(spec.name)
        if overrides.given:
            _require_one_pipeline(context)
        return apply_overrides(spec, overrides)

    def as_overrides(self, pipeline: str) -> RunOverrides:
        """Return the parameters as the domain's type.

        Raises:
            SpecError: a parameter has the wrong type.
        """
        values = {name: getattr(self, name) for name in RunOverrides.model_fields}
        try:
            return RunOverrides.model_validate_json(json.dumps(values))
        except ValidationError as error:
            what, found, expected, remedy = explain(error.errors(include_url=False)[0])
            raise SpecError(
                f"a run parameter is not acceptable: {what}",
                where=f"run config of pipeline {pipeline}",
                found=found,
                expected=expected,
                remedy=remedy,
            ) from error


def _require_one_pipeline(context: dg.AssetExecutionContext) -> None:
    chosen = context.run.asset_selection or context.job_def.asset_layer.executable_asset_keys
    pipelines = {key.path[0] for key in chosen}
    if len(pipelines) > 1:
        raise SpecError(
            "run parameters were given to a run of several pipelines",
            where="run config, resources.run_parameters",
            found=", ".join(sorted(pipelines)),
            expected="the assets of one pipeline",
            remedy="start one run for each pipeline",
        )
