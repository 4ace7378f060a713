"""A step that hangs in native code is ended at its limit, whether or not the interpreter's lock is held."""

from small_platform import bank_rows, write_csv

MATERIALIZE = "dagster asset materialize -f definitions.py --select"
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
execution: {timeout_minutes: {trained_model: MINUTES}}
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
    checkout.write("pipelines/stuck.yaml", PIPELINE.replace("MINUTES", "10"))
    checkout.write("stuck_model.py", MODEL)
    ready = checkout.run(f"{MATERIALIZE} stuck/raw_dataset,stuck/validated_dataset,stuck/best_hyperparameters")
    assert ready.returncode == 0, ready.stdout[-3000:]
    without_grace(checkout)
    free = stuck(checkout, "CDLL")
    assert free.returncode == 1
    assert "ChildProcessCrashException" in free.stdout
    assert "[step_timeout] the step took longer than it may" in free.stdout
    assert "STEP_FAILURE" in free.stdout
    locked = stuck(checkout, "PyDLL")
    assert locked.returncode == 1
    assert "Timeout (0:00:" in locked.stdout
    assert "STEP_FAILURE" in locked.stdout


def without_grace(checkout):
    """Shorten what a step gets beyond its limit; the values that are shipped are asserted here."""
    path = checkout.root / "ml_assets" / "supervision" / "time_limit.py"
    text = path.read_text()
    for shipped, short in (
        ("_NATIVE_GRACE = 5.0", "_NATIVE_GRACE = 0.2"),
        ("_LOCKED_GRACE = 10.0", "_LOCKED_GRACE = 2.0"),
    ):
        assert shipped in text
        text = text.replace(shipped, short)
    path.write_text(text)


def stuck(checkout, loaded_as):
    """Train until the limit; on a busy machine it may pass before the code is stuck, so that a longer one follows."""
    for minutes in (0.1, 0.5, 10):
        checkout.write("pipelines/stuck.yaml", PIPELINE.replace("MINUTES", str(minutes)))
        done = checkout.run(
            f"{MATERIALIZE} stuck/trained_model",
            ASSAY_EXECUTOR="multiprocess",
            LOADED_AS=loaded_as,
            # else the last lines of a step's output are lost on a busy machine (dagster-io/dagster, issue 23336)
            DAGSTER_COMPUTE_LOG_TAIL_WAIT_AFTER_FINISH="0.2",
        )
        if (checkout.root / loaded_as).exists():
            return done
    raise AssertionError(done.stdout[-3000:])
