"""Steps that one process runs again and again, as an endpoint does: plans and connections are kept between calls.

Nothing of one call reaches the next. A plan is of the columns alone. A connection serves one call at a time, its rows
leave it before it is kept, and one on which a query failed is closed.
"""

import os
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa

from assay.features.compiling import Layer
from assay.features.engine import SPILL, answer_of, engine_with
from assay.features.joined_tables import JoinedTables, with_keys_once
from assay.features.plan import Plan
from assay.specs.dataset import ReadLimits
from assay.specs.features import FeaturesSpec

if TYPE_CHECKING:
    import duckdb

_MOST_PLANS = 32
_MOST_CONNECTIONS = 4


@dataclass
class PreparedSteps:
    """Steps that run in this process; threads may share them.

    Attributes:
        limits: what a connection may take.
        joined: the rows of each joined source, by its name.
    """

    limits: ReadLimits
    joined: Mapping[str, pa.Table]
    _plans: "OrderedDict[Any, Plan]" = field(default_factory=OrderedDict)
    _idle: "list[tuple[int, duckdb.DuckDBPyConnection]]" = field(default_factory=list)
    _lock: Any = field(default_factory=Lock)

    @classmethod
    def of(cls, limits: ReadLimits, features: FeaturesSpec, joined: Mapping[str, pa.Table], where: str) -> Self:
        """Return steps without plans and connections yet.

        Raises:
            FeatureStepError: a row would find several rows of a joined source.
        """
        return cls(limits, dict(with_keys_once(joined, features, where)))

    @property
    def tables(self) -> JoinedTables:
        """The joined sources, of which nothing is written."""
        return JoinedTables({name: table.schema for name, table in self.joined.items()}, {})

    def plan(self, key: Any, compiled: Callable[[], Plan]) -> Plan:
        """Return the plan for some columns: a known one, or one that is compiled now.

        Args:
            key: all that it depends on; hashable.
            compiled: compiles it.
        """
        with self._lock:
            found = self._plans.get(key)
        if found is None:
            found = compiled()
        with self._lock:
            self._plans[key] = found
            self._plans.move_to_end(key)
            while len(self._plans) > _MOST_PLANS:
                self._plans.popitem(last=False)
        return replace(found, lineage=found.lineage.copy())  # a lineage records the names that it is asked for

    def computed(self, request: dict[str, Any], layers: tuple[Layer, ...]) -> dict[str, Any]:
        """Answer a request as `assay.features.engine.computed` does.

        What exceeds the memory is computed once more on a connection of its own, which may write to the request's
        folder.
        """
        connection = self._lent() or engine_with(self.joined, self.limits.memory_mb)
        answer: dict[str, Any] = {}
        try:
            answer = answer_of(connection, request, layers)
        finally:
            self._give_back(connection) if "stay" in answer else connection.close()
        if "limit" in answer:
            spill = Path(request["folder"], SPILL)
            with engine_with(self.joined, self.limits.memory_mb, spill) as own:
                answer = answer_of(own, request, layers)
        return answer

    def _lent(self) -> "duckdb.DuckDBPyConnection | None":
        with self._lock:
            while self._idle:
                process, connection = self._idle.pop()
                if process == os.getpid():  # not one of the process that this one was forked from
                    return connection
        return None

    def _give_back(self, connection: "duckdb.DuckDBPyConnection") -> None:
        with self._lock:
            if len(self._idle) < _MOST_CONNECTIONS:
                self._idle.append((os.getpid(), connection))
                return
        connection.close()
