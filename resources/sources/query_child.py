"""The child that runs a query on a database file: `python -m resources.sources.query_child`."""

import os
from pathlib import Path
from typing import Any

from assay.reading.confined import serve
from resources.sources.duckdb_file import DuckdbSource
from resources.sources.interface import SourceObject
from resources.sources.query import Query
from resources.sources.sql import SqlSource


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    """Run the request's query, and answer with the version of its rows."""
    os.chdir(request["working_folder"])  # a relative address counts from the parent's
    source = _source(request)
    if request["action"] == "fetch":
        item = SourceObject(request["address"], "")
        return {"version": source.fetch(item, Path(request["target"])).version}
    (item,) = source.objects()
    return {"version": item.version}


def _source(request: dict[str, Any]) -> SqlSource | DuckdbSource:
    query = Query(request["text"], request["parameters"], request["watermark"])
    if request["engine"] == "duckdb":
        return DuckdbSource(request["address"], query, request["seconds"], request["memory_mb"])
    return SqlSource(request["address"], query, request["connections"], request["seconds"])


if __name__ == "__main__":
    serve(_answer)
