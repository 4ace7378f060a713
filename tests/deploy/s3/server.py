"""Moto's S3 server that keeps its objects: it writes changes to a journal, and repeats them at its start."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

folder, port = sys.argv[1:]
journal = Path(folder, "requests")
os.environ["MOTO_RECORDER_FILEPATH"] = str(journal)

from moto.moto_api import recorder  # noqa: E402 - it reads the environment
from moto.server import ThreadedMotoServer  # noqa: E402

record = type(recorder)._record_request


def record_change(self: Any, request: Any, body: Any = None) -> None:
    """Leave out what only reads."""
    if request.method not in ("GET", "HEAD"):
        record(self, request, body)


type(recorder)._record_request = record_change
server = ThreadedMotoServer("0.0.0.0", int(port), verbose=False)
server.start()
if journal.exists():
    recorder.replay_recording(target_host=f"http://127.0.0.1:{port}")
recorder.start_recording()
Path("/tmp/ready").touch()
signal.sigwait({signal.SIGTERM, signal.SIGINT})
