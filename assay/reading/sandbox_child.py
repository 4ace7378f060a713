"""The process that reads one file and may die of it: `python -m assay.reading.sandbox_child`.

It gets a request on standard input and answers on standard output, both JSON (`child_messages`).
"""

import errno
import json
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assay.errors import AssayError, error_to_json
from assay.reading.confinement import confine_this_process, end_with_parent
from assay.reading.files import transcribe
from assay.reading.sandbox import Request


def main() -> None:
    """Read the file that the request names, and answer how it went."""
    answers = _kept_for_answers()
    request = Request.from_json(sys.stdin.read())
    end_with_parent(request.parent)
    sys.stdin.close()
    confine_this_process(request.confinement)
    with os.fdopen(answers, "w", encoding="ascii") as out:
        json.dump(_answer(request), out)


def _kept_for_answers() -> int:
    """Return a handle for the answer; whatever else is printed goes to standard error."""
    kept = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return kept


def _answer(request: Request) -> dict[str, Any]:
    try:
        transcribe(request.path, request.options, request.target, name=request.name, layout=request.layout)
    except Exception as error:  # noqa: BLE001 - the parent raises it, whatever it is
        return _told(error)
    return {"ok": True}


def _told(error: Exception) -> dict[str, Any]:
    # a reader may have taken the failed allocation for damage of the file
    for cause in _chain(error):
        if isinstance(cause, MemoryError):
            return {"limit": "memory"}
        if isinstance(cause, OSError) and cause.errno == errno.EFBIG:
            return {"limit": "file"}
    return {"error": error_to_json(error)} if isinstance(error, AssayError) else {"crash": _crash(error)}


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__


def _crash(error: Exception) -> str:
    """Return type and place of an error that no reader foresaw, without its message: that may quote the data."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "reading" in Path(frame.filename).parts] or frames
    places = dict.fromkeys(f"{Path(frame.filename).name}, line {frame.lineno}" for frame in (frames[-1], own[-1]))
    reason = error.strerror if isinstance(error, OSError) else str(error) if isinstance(error, ImportError) else ""
    return f"{type(error).__name__} {reason or ''}".strip() + f" in {', called from '.join(places)}"


if __name__ == "__main__":
    main()
