"""Tuning and training take a slot of the pool that the pipeline names; nothing else takes one."""

import pytest


@pytest.mark.parametrize(("said", "pool"), [("", "training"), ("execution: {pool: gpu}\n", "gpu")])
def test_learning_takes_a_slot_of_the_named_pool(bank, said, pool):
    path = bank.settings.pipelines_dir / "bank.yaml"
    path.write_text(path.read_text() + said)
    pools = {asset.key.path[-1]: asset.op.pool for asset in bank.definitions.assets}
    learning = {"best_hyperparameters", "trained_model"}
    assert {name for name, taken in pools.items() if taken} == learning
    assert {pools[name] for name in learning} == {pool}
