"""Devices of a pool: each is held by one step, and comes free however the step ends."""

import os
import threading

import pytest

from assay.errors import SettingError
from resources import pool_devices
from resources.pool_devices import devices_of_pools, held_devices
from resources.settings import Settings

GPUS = ["0", "MIG-GPU-5c/1/0"]


@pytest.fixture
def hold(tmp_path, monkeypatch):
    monkeypatch.setattr(pool_devices, "_WAIT", 0.01)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return lambda count, waits=pytest.fail: held_devices(tmp_path / "locks", "gpu", GPUS, count, waits)


def test_each_step_holds_a_device_of_its_own_and_sees_no_other(hold):
    with hold(1) as first:
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"
        with hold(1) as second:
            assert os.environ["CUDA_VISIBLE_DEVICES"] == "MIG-GPU-5c/1/0"
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"
    assert (*first, *second) == tuple(GPUS)
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
    with hold(2) as both:
        assert both == tuple(GPUS)


def test_a_step_that_needs_two_waits_until_both_are_free_and_takes_none_meanwhile(hold):
    waits, done = [], threading.Event()
    waiting = threading.Event()

    def needs_two():
        with hold(2, lambda said: (waits.append(said), waiting.set())):
            done.set()

    with hold(1):
        thread = threading.Thread(target=needs_two)
        thread.start()
        assert waiting.wait(10)
        assert not done.wait(0.1)
    thread.join(10)
    assert done.is_set()
    assert waits == ["waits for 2 of the 2 devices of the pool gpu"]


def test_a_device_of_a_step_that_fails_is_free(hold):
    with pytest.raises(ZeroDivisionError), hold(2):
        raise ZeroDivisionError
    with hold(2) as both:
        assert len(both) == 2


def test_more_devices_than_there_are_are_refused(hold):
    with pytest.raises(SettingError, match="too few devices") as refused, hold(3):
        pass
    assert refused.value.found == "gpu=0,MIG-GPU-5c/1/0"


@pytest.mark.parametrize(
    ("said", "devices"),
    [("", {}), ("gpu=0,1  big=GPU-8f ", {"gpu": ["0", "1"], "big": ["GPU-8f"]})],
)
def test_a_deployment_names_the_devices_of_pools(said, devices):
    assert devices_of_pools(Settings(pool_devices=said)) == devices


@pytest.mark.parametrize("said", ["gpu", "gpu=", "gpu=0;1", "gpu=0,", "0=gpu", "gpu = 0"])
def test_devices_that_cannot_be_understood_are_refused(said):
    with pytest.raises(SettingError, match="ASSAY_POOL_DEVICES"):
        Settings(pool_devices=said)
