"""Queries of database files, SQLite's and DuckDB's, run by a confined child process.

Both engines run inside the process that asks. A single function of a query may take gigabytes, or hours without
looking at the clock; only the end of its process bounds it.
"""

import json
import math
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.errors import SourceError
from assay.reading.confined import MIB, Confinement
from assay.reading.sandbox import ChildEnd, exceeded_limit, run_child
from assay.scratch import scratch_folder
from assay.specs.dataset import DataFormat
from resources.sources.interface import Access, FetchedFile, Source, SourceObject
from resources.sources.query import Query, past_deadline, past_limit

ROWS_FILE = "rows.arrow"
_CHILD = "resources.sources.query_child"
# for the child's start, and for a query that ends itself at its deadline
_GRACE_SECONDS = 30.0
_FILE_BYTES = 1 << 44


class ConfinedQuery(Source):
    """One query's rows, read by a child process that ends at the deadline at the latest."""

    def __init__(
        self, engine: str, address: str, access: Access, query: Query, connections: Mapping[str, str] | None = None
    ) -> None:
        """Keep what to ask of `sqlite` or `duckdb`; the URL of a named connection to a file holds no password."""
        self._engine, self._address, self._query = engine, address, query
        self._connections = connections or {}
        self._seconds, self._memory_mb = access.query_seconds, access.query_memory_mb
        # an engine's threads use processor time at once
        cpu_seconds = math.ceil(self._seconds + _GRACE_SECONDS) * (os.cpu_count() or 1)
        self._confinement = Confinement(self._memory_mb * MIB, cpu_seconds, _FILE_BYTES)

    def objects(self) -> list[SourceObject]:
        """Return the one result; its version is empty without a watermark, and then no child is started."""
        if self._query.watermark is None:
            return [SourceObject(self._address, "")]
        with scratch_folder("query") as folder:
            answer = self._answer("objects", Path(folder))
        return [SourceObject(self._address, str(answer["version"]))]

    def fetch(self, item: SourceObject, folder: Path) -> FetchedFile:
        """Write the rows to an Arrow file.

        Raises:
            SourceError: the engine refuses the query, or it takes too long or too much memory.
        """
        answer = self._answer("fetch", folder)
        return FetchedFile(folder / ROWS_FILE, item.uri, str(answer["version"]), DataFormat.FEATHER)

    def _answer(self, action: str, target: Path) -> Mapping[str, Any]:
        with tempfile.TemporaryDirectory(prefix=".assay-query-", dir=target) as scratch:
            wall = self._seconds + _GRACE_SECONDS
            end = run_child(_CHILD, self._request(action, target), Path(scratch), wall_seconds=wall)
        if end.code == 0 and "version" in end.answer:
            return end.answer
        raise end.error or self._failure(end)

    def _request(self, action: str, target: Path) -> str:
        return json.dumps(
            {
                "action": action,
                "target": str(target.absolute()),
                "engine": self._engine,
                "address": self._address,
                "connections": dict(self._connections),
                "text": self._query.text,
                "parameters": dict(self._query.parameters),
                "watermark": self._query.watermark,
                "seconds": self._seconds,
                "memory_mb": self._memory_mb,
                "working_folder": str(Path.cwd()),
                "confinement": self._confinement.to_plain(),
                "parent": os.getpid(),
            }
        )

    def _failure(self, end: ChildEnd) -> SourceError:
        exceeded = exceeded_limit(end, self._confinement)
        if exceeded is None:
            return SourceError("the database engine failed", where=self._address, found=end.cause)
        if "time" in exceeded.resource:
            return past_deadline(self._address)
        return past_limit(exceeded.resource, self._address, found=exceeded.found, expected=exceeded.limit)
