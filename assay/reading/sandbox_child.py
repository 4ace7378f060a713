"""The child that reads one file, and may die of it: `python -m assay.reading.sandbox_child`.

It imports little, since every file pays for its start.
"""

from typing import Any

from assay.reading.confined import serve
from assay.reading.files import transcribe
from assay.reading.sandbox_messages import Request


def main() -> None:
    """Read the file that the request names, and answer with the outcome."""
    serve(_transcribed)


def _transcribed(values: dict[str, Any]) -> dict[str, Any]:
    request = Request.from_values(values)
    transcribe(request.path, request.options, request.target, name=request.name, layout=request.layout)
    return {"ok": True}


if __name__ == "__main__":
    main()
