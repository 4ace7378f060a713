"""Tuning and training take a slot of the pool that the pipeline names, and other assets where it names theirs."""

import os

import pytest
from small_platform import failure

from resources.data_sources import DataSources

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


def test_a_step_sees_the_devices_that_it_holds(bank, monkeypatch):
    path = bank.settings.pipelines_dir / "bank.yaml"
    path.write_text(path.read_text() + "execution: {pool: {raw_dataset: gpu}, pool_slots: 2}\n")
    seen = []

    def fetched(*_):
        seen.append(os.environ.get("CUDA_VISIBLE_DEVICES"))
        raise ZeroDivisionError

    monkeypatch.setattr(DataSources, "fetched", fetched)
    assert "[setting_invalid] the pool gpu has too few devices" in failure(bank.materialize("bank/raw_dataset"))
    bank.settings = bank.settings.model_copy(update={"pool_devices": "gpu=4,5,6"})
    assert "ZeroDivisionError" in failure(bank.materialize("bank/raw_dataset"))
    assert seen == ["4,5"]
