"""Tuning and training take a slot of the pool that the pipeline names, and other assets where it names theirs."""

import pytest

LEARNING = {"best_hyperparameters", "trained_model"}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("", dict.fromkeys(LEARNING, "training")),
        ("execution: {pool: big-gpus}\n", dict.fromkeys(LEARNING, "big-gpus")),
        (
            "execution: {pool: {trained_model: gpu, raw_dataset: warehouse}}\n",
            {"raw_dataset": "warehouse", "trained_model": "gpu", "best_hyperparameters": "training"},
        ),
    ],
)
def test_steps_take_a_slot_of_the_named_pool(bank, said, expected):
    path = bank.settings.pipelines_dir / "bank.yaml"
    path.write_text(path.read_text() + said)
    pools = {asset.key.path[-1]: asset.op.pool for asset in bank.definitions.assets}
    assert {name: pool for name, pool in pools.items() if pool} == expected
