"""A step that takes more memory than its limit is ended, and its error says so."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from small_platform import failure

from ml_assets.supervision import memory_limit
from ml_assets.supervision.memory_limit import BoundedStep, StepMemoryError, used_bytes, within_memory
from resources.data_sources import DataSources

MEGABYTE = 1 << 20


@pytest.fixture
def limited(bank):
    path = bank.settings.pipelines_dir / "bank.yaml"
    path.write_text(path.read_text() + "execution: {memory_mb: {raw_dataset: 64}, max_retries: 0}\n")
    return bank


def bounded(limit, lines=None, *, ends_process=False):
    return BoundedStep("a step", limit, (lines if lines is not None else []).append, ends_process)


def test_a_body_that_takes_too_much_is_ended(limited, monkeypatch):
    def stubborn(*_):
        try:
            time.sleep(3600)
        except Exception:  # noqa: BLE001 - what is tested
            time.sleep(3600)

    monkeypatch.setattr(DataSources, "fetched", stubborn)
    message = failure(limited.materialize("bank/raw_dataset"))
    assert "[step_memory] the step took more memory than it may" in message
    assert "bank__raw_dataset" in message
    assert "at most 64 MiB" in message
    assert "execution.memory_mb" in message


def test_memory_of_the_process_and_of_those_below_it_counts():
    before = used_bytes(os.getpid())
    taken = bytearray(b"x") * (50 * MEGABYTE)
    after = used_bytes(os.getpid())
    assert 45 * MEGABYTE < after - before < 60 * MEGABYTE
    code = "import sys; taken = b'x' * (80 << 20); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-S", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        assert used_bytes(os.getpid()) - after > 75 * MEGABYTE
        child.stdin.close()
    assert used_bytes(child.pid) == 0
    assert len(taken) == 50 * MEGABYTE


def test_what_stays_within_its_memory_goes_on_and_leaves_no_trace():
    before = signal.getsignal(signal.SIGUSR2)
    with within_memory(bounded(1 << 20)):
        assert signal.getsignal(signal.SIGUSR2) != before
    assert signal.getsignal(signal.SIGUSR2) == before
    with within_memory(bounded(None)):
        assert signal.getsignal(signal.SIGUSR2) == before


def test_a_step_that_takes_too_much_from_its_first_moment_is_ended_too(monkeypatch):
    before, starts = signal.getsignal(signal.SIGUSR2), memory_limit._Watch.start
    monkeypatch.setattr(memory_limit._Watch, "start", lambda watch: (starts(watch), time.sleep(60)))
    with pytest.raises(StepMemoryError), within_memory(bounded(64)):
        pytest.fail("the watch signals while it is started")
    assert signal.getsignal(signal.SIGUSR2) == before
    assert "assay-memory" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize(
    ("ends_process", "own", "ends"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_native_code_that_goes_on_beyond_the_limit_is_killed_in_a_process_of_its_own(
    ends_process, own, ends, monkeypatch
):
    sent, lines, over = [], [], threading.Event()
    monkeypatch.setattr(memory_limit, "_GRACE", 0.01)
    monkeypatch.setattr(memory_limit, "_EVERY", 0.01)
    monkeypatch.setattr(memory_limit, "is_own_process", lambda: own)
    monkeypatch.setattr(memory_limit.os, "kill", lambda *killed: (sent.append(killed), over.set()))
    signals = []

    def unanswered(*_):
        signals.append("again" if signals else "first")
        if signals[-1] == "again":
            over.set()

    monkeypatch.setattr(memory_limit.signal, "pthread_kill", unanswered)
    with within_memory(bounded(64, lines, ends_process=ends_process)):
        assert over.wait(60)
    assert bool(sent) == ends
    if ends:
        assert sent[0] == (os.getpid(), signal.SIGKILL)
        assert lines[0].startswith("[step_memory]")
    else:
        assert signals[:2] == ["first", "again"]
