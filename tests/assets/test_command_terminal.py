"""A bar of a step reaches the terminal of the command, though Dagster captures what the step writes."""

import os
import pty
import sys

from dagster._core.execution.compute_logs import redirect_to_file

from ml_assets.command_terminal import terminal_kept, terminal_of_command


def test_a_step_whose_output_is_captured_writes_to_the_terminal(tmp_path, monkeypatch):
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal, os.fdopen(ours, "rb", buffering=0) as screen:
        monkeypatch.setattr(sys, "stderr", terminal)
        with terminal_kept(), redirect_to_file(sys.stderr, str(tmp_path / "captured")):
            assert not sys.stderr.isatty()
            kept = terminal_of_command()
            assert kept is not None
            assert kept.isatty()
            kept.write("a bar")
            kept.flush()
        assert screen.read(100) == b"a bar"
        monkeypatch.undo()
    assert terminal_of_command() is None


def test_a_log_is_no_terminal(monkeypatch, tmp_path):
    with (tmp_path / "log").open("w") as log:
        monkeypatch.setattr(sys, "stderr", log)
        with terminal_kept():
            assert terminal_of_command() is None
