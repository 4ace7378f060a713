"""A search that ends with an average of families, through all assets: fitted, stored, promoted and rebuilt."""

import numpy as np
import pytest
from small_platform import failure, write_csv

from assay.results.search_result import BestHyperparameters
from assay.results.trained_model import TrainedModel
from ml_assets.commands.deployment import Deployment
from ml_assets.commands.reproduce import reproduced

PIPELINE = """\
name: yields
task: regression
dataset: {{source: {source}, target: y, columns: {{id: {{role: identifier}}}}}}
validation: {{unique: [[id]]}}
model: {{candidates: [ridge, lightgbm], hyperparameters: {{lightgbm: {{n_estimators: 25}}}}}}
tuning: {{n_trials: 2, folds: 3}}
"""


def rows():
    """Partly a line and partly steps, so that each family has errors of its own."""
    random = np.random.default_rng(3)
    a, b = random.normal(size=(2, 900))
    y = 2 * a + 0.8 * (np.sin(3 * b) > 0) + 0.3 * random.normal(size=900)
    columns = zip(a.round(6).tolist(), b.round(6).tolist(), y.round(6).tolist(), strict=True)
    return [{"id": number, "a": left, "b": right, "y": target} for number, (left, right, target) in enumerate(columns)]


@pytest.mark.full
def test_an_average_is_found_trained_promoted_and_rebuilt(platform, tmp_path):
    source = tmp_path / "yields.csv"
    write_csv(source, rows())
    platform.pipeline(PIPELINE, source)
    result = platform.materialize("yields/*")
    assert result.success, failure(result)
    best = platform.artifacts.load(("yields", "best_hyperparameters"), None, BestHyperparameters)
    assert best.family == "vote"
    assert {row["family"] for row in best.members()} == {"ridge", "lightgbm"}
    shown = {
        label: value
        for event in result.asset_materializations_for_node("yields__best_hyperparameters")
        for label, value in event.metadata.items()
    }
    assert [record.data["family"] for record in shown["average of families"].records] == [
        r["family"] for r in best.members()
    ]
    model = platform.artifacts.load(("yields", "trained_model"), None, TrainedModel)
    assert (model.manifest.family, set(model.manifest.members)) == ("vote", {"ridge", "lightgbm"})
    assert {"lightgbm"} <= model.manifest.library_versions.keys()
    found = reproduced(Deployment(platform.settings), "yields", "1")
    assert found.is_identical
