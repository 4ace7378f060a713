"""Queries of database files, SQLite's and DuckDB's, run by a confined child process.

Both engines run inside the process that asks. A single function of a query may take gigabytes, or hours without
looking at the clock; only the end of its process bounds it.
"""

import json
import math
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.errors import AssayError, SourceError
from assay.reading.confined import MIB, Confinement
from assay.reading.sandbox import ChildEnd, exceeded_limit, run_child
from assay.scratch import scratch_folder
from assay.specs.dataset import DataFormat
from resources.sources.interface import Access, FetchedFile, Source, SourceObject
from resources.sources.query import Query, past_deadline

ROWS_FILE = "rows.arrow"
_CHILD = "resources.sources.query_child"
# for the child's start, and for a query that ends itself at its deadline
_GRACE_SECONDS = 30.0
_FILE_BYTES = 1 << 44


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """What the child is asked to do.

    Attributes:
        engine: `sqlite` or `duckdb`.
        address: of the source, as messages show it.
        connections: URLs of named connections; a database file's URL holds no password.
        query: what to ask.
        seconds: how long it may take.
        memory_mb: memory of the child.
    """

    engine: str
    address: str
    connections: Mapping[str, str]
    query: Query
    seconds: float
    memory_mb: int

    @property
    def confinement(self) -> Confinement:
        """The limits of the child; an engine's threads use processor time at once."""
        cpu_seconds = math.ceil(self.seconds + _GRACE_SECONDS) * (os.cpu_count() or 1)
        return Confinement(self.memory_mb * MIB, cpu_seconds, _FILE_BYTES)

    def to_json(self, action: str, target: Path) -> str:
        """Return the request in ASCII."""
        return json.dumps(
            {
                "action": action,
                "target": str(target.absolute()),
                "engine": self.engine,
                "address": self.address,
                "connections": dict(self.connections),
                "text": self.query.text,
                "parameters": dict(self.query.parameters),
                "watermark": self.query.watermark,
                "seconds": self.seconds,
                "memory_mb": self.memory_mb,
                "working_folder": str(Path.cwd()),
                "confinement": self.confinement.to_plain(),
                "parent": os.getpid(),
            }
        )


class ConfinedQuery(Source):
    """One query's rows, read by a child process that ends at the deadline at the latest."""

    def __init__(self, request: QueryRequest) -> None:
        self._request = request

    def objects(self) -> list[SourceObject]:
        """Return the one result; its version is empty without a watermark."""
        with scratch_folder("query") as folder:
            answer = self._answer("objects", Path(folder))
        return [SourceObject(self._request.address, str(answer["version"]))]

    def fetch(self, item: SourceObject, folder: Path) -> FetchedFile:
        """Write the rows to an Arrow file.

        Raises:
            SourceError: the engine refuses the query, or it takes too long or too much memory.
        """
        answer = self._answer("fetch", folder)
        return FetchedFile(folder / ROWS_FILE, item.uri, str(answer["version"]), DataFormat.FEATHER)

    def _answer(self, action: str, target: Path) -> Mapping[str, Any]:
        with tempfile.TemporaryDirectory(prefix=".assay-query-", dir=target) as scratch:
            wall = self._request.seconds + _GRACE_SECONDS
            end = run_child(_CHILD, self._request.to_json(action, target), Path(scratch), wall_seconds=wall)
        if end.code == 0 and "version" in end.answer:
            return end.answer
        raise self._failure(end)

    def _failure(self, end: ChildEnd) -> AssayError:
        if error := end.error:
            return error
        exceeded = exceeded_limit(end, self._request.confinement)
        if exceeded is None:
            return SourceError("the database engine failed", where=self._request.address, found=end.cause)
        if "time" in exceeded.resource:
            return past_deadline(self._request.address)
        return SourceError(
            f"the query takes more {exceeded.resource} than it may",
            where=self._request.address,
            found=exceeded.found,
            expected=exceeded.limit,
            remedy="narrow the query, or raise ASSAY_QUERY_MEMORY_MB",
        )


def confined(
    engine: str, address: str, access: Access, query: Query, connections: Mapping[str, str] | None = None
) -> Source:
    """Return the source of a query on a database file.

    Args:
        engine: `sqlite` or `duckdb`.
        address: of the source.
        access: the bounds of queries.
        query: what to ask.
        connections: the URL of the address's named connection.
    """
    return ConfinedQuery(
        QueryRequest(engine, address, connections or {}, query, access.query_seconds, access.query_memory_mb)
    )
