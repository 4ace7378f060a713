"""What the weather adds to `pipelines/flight_delays.yaml`: `python benchmarks/weather.py 2013-03 2013-04`.

The pipeline as it is, and without the step that joins the weather: the same rows, split, search and seed. Both models
predict the same holdout, and the gain has the interval of the paired bootstrap over blocks of time.
"""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from assay.data.dataset import Dataset, ValidatedDataset
from assay.features.feature_set import feature_set_of
from assay.gate.gate import run_gate
from assay.learning.evaluation.bootstrap import INTERVAL, Paired, effects, units_of
from assay.learning.evaluation.evaluating import truth_of
from assay.learning.evaluation.metrics import primary_metric
from assay.learning.evaluation.predictions import Predictions
from assay.learning.splitting import Split, split_window
from assay.learning.training import train
from assay.learning.tuning.search import find_best_hyperparameters
from assay.promotion.comparison import predicted
from assay.reading.source_files import read_rows
from assay.specs import PipelineSpec, load_pipeline
from assay.specs.dataset import DatasetSpec
from assay.specs.features import FeaturesSpec
from ml_assets.pipeline.partitions import partitions_of
from ml_assets.resource_wiring import resources_for
from resources.data_sources import DataSources
from resources.settings import Settings

_PIPELINE = Path(__file__).parents[1] / "pipelines" / "flight_delays.yaml"


def main(months: list[str]) -> None:
    """Print a line of the table for each holdout month."""
    spec = load_pipeline(_PIPELINE)
    sources: DataSources = resources_for(Settings())["data_sources"]
    tails = (100 * (1 - INTERVAL) / 2, 100 * (1 + INTERVAL) / 2)
    print("| holdout | without weather | with weather | gain | 95 % interval |\n|---|---:|---:|---:|---|")
    for month in months:
        found = [fitted(each, month, sources) for each in (without_weather(spec), spec)]
        split = found[1][0]
        pair = Paired(truth_of(split.holdout), found[0][1], found[1][1])
        units = units_of(split.holdout_table, spec)
        (gain,) = effects([(primary_metric(spec), None)], pair, units, spec.training.seed)
        low, high = np.percentile(gain.known, tails)
        line = f"| {month} | {gain.old:.3f} | {gain.new:.3f} | {gain.value:+.3f} | {low:+.3f} to {high:+.3f} |"
        print(line, flush=True)


def without_weather(spec: PipelineSpec) -> PipelineSpec:
    """Return the pipeline with the steps before the join alone."""
    steps = spec.features.steps if spec.features is not None else ()
    first = next(number for number, step in enumerate(steps) if step.join is not None)
    return spec.model_copy(update={"features": FeaturesSpec(steps=steps[:first])})


def fitted(spec: PipelineSpec, month: str, sources: DataSources) -> tuple[Split, Predictions]:
    """Search and fit on the months before one; return the split and the predictions of its rows."""
    split = split_window(dict(validated(spec, month, sources)), spec)
    best = find_best_hyperparameters(
        split.train, spec, features=split.features, groups=split.train_groups, classes=split.classes
    )
    model = train(split, best, spec)
    return split, predicted(model, split, spec)


def validated(spec: PipelineSpec, month: str, sources: DataSources) -> Iterator[tuple[str, ValidatedDataset]]:
    """Yield the window's months, each after the steps and the gate."""
    partitions = partitions_of(spec)
    keys = partitions.get_partition_keys() if partitions is not None else []
    position = keys.index(month)
    with ExitStack() as stack:
        read = spec.source_dataset
        rows = read_rows(stack.enter_context(sources.fetched(read, month)), read, where="benchmark")
        joined = {join.table: whole(join.dataset, sources) for join in (spec.features.joins if spec.features else ())}
        for key in keys[position - (spec.split.train_partitions or 0) : position + 1]:
            source = rows.partition(key, where=key)
            made = feature_set_of(source, spec, None, where=key, joined=joined)
            verdict = run_gate(made.rows, spec, where=key, partition=key)
            if verdict.accepted is None:
                sys.exit(f"the gate refused {key}")
            yield key, verdict.accepted


def whole(dataset: DatasetSpec, sources: DataSources) -> Dataset:
    """Return all rows of a joined source."""
    with sources.fetched(dataset, None) as files:
        return read_rows(files, dataset, where="benchmark").partition(None, where="benchmark")


if __name__ == "__main__":
    main(sys.argv[1:] or ["2013-03", "2013-04"])
