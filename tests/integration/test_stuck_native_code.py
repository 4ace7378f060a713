"""A step that hangs in native code is ended at its limit, whether or not the interpreter's lock is held."""

import pytest
from small_platform import bank_rows, write_csv

pytestmark = pytest.mark.cold
PIPELINE = """\
name: stuck
task: binary_classification
dataset:
  source: data.csv
  target: y
  columns: {id: {role: identifier}, note: {role: ignored}}
split: {by: stratified, test_size: 0.25}
model: {candidates: ["stuck_model:Stuck"]}
tuning: {enabled: false}
execution: {timeout_minutes: {trained_model: 0.25}}
"""
MODEL = """\
import ctypes
import os

from sklearn.dummy import DummyClassifier


class Stuck(DummyClassifier):
    def fit(self, X, y, sample_weight=None):
        library = getattr(ctypes, os.environ["LOADED_AS"])(None)
        open(os.environ["LOADED_AS"], "w").close()
        mutex = ctypes.create_string_buffer(128)
        library.pthread_mutex_lock(mutex)
        library.pthread_mutex_lock(mutex)
"""


def test_a_step_stuck_in_native_code_is_ended(checkout):
    write_csv(checkout.root / "data.csv", bank_rows())
    checkout.write("pipelines/stuck.yaml", PIPELINE)
    checkout.write("stuck_model.py", MODEL)
    materialize = "dagster asset materialize -f definitions.py --select"
    ready = checkout.run(f"{materialize} stuck/raw_dataset,stuck/validated_dataset,stuck/best_hyperparameters")
    assert ready.returncode == 0, ready.stdout[-3000:]
    free = checkout.run(f"{materialize} stuck/trained_model", ASSAY_EXECUTOR="multiprocess", LOADED_AS="CDLL")
    assert free.returncode == 1
    assert (checkout.root / "CDLL").exists()
    assert "ChildProcessCrashException" in free.stdout
    assert "[step_timeout] the step took longer than it may" in free.stdout
    assert "STEP_FAILURE" in free.stdout
    locked = checkout.run(f"{materialize} stuck/trained_model", ASSAY_EXECUTOR="multiprocess", LOADED_AS="PyDLL")
    assert locked.returncode == 1
    assert (checkout.root / "PyDLL").exists()
    assert "Timeout (0:00:" in locked.stdout
    assert "STEP_FAILURE" in locked.stdout
