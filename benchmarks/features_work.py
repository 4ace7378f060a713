"""One side's work of `features`, and what it takes; the rows, and what is compared, are there."""

import os
import resource
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import duckdb
import pyarrow as pa
from features import BATCH, STEPS, TYPED

from assay.data.dataset import Dataset
from assay.data.fingerprint import fingerprint
from assay.data.schema import infer_schema
from assay.features.past import require_known_in_time
from assay.features.running import run_steps
from assay.reading.files import mapped_table
from assay.specs.pipeline import PipelineSpec


def measured(side: str, folder: Path) -> dict[str, float]:
    """Return the seconds of the clock and of CPU, and the most memory, of one side."""
    work = WORK[side](folder)
    with _Memory() as memory:
        began, spent = time.perf_counter(), _cpu()
        work()
        wall, cpu = time.perf_counter() - began, _cpu() - spent
    return {"wall": wall, "cpu": cpu, "mib": memory.most - memory.first}


def typed(folder: Path) -> Callable[[], None]:
    """Return the SQL as it is typed into DuckDB with its own settings, but for the number of threads."""
    rows, places = mapped_table(folder / "rows"), mapped_table(folder / "places")

    def work() -> None:
        connection = duckdb.connect(":memory:", config={"temp_directory": str(folder / "spill"), **_settings()})
        connection.register("rows", rows)
        connection.register("places", places)
        reader = connection.sql(TYPED).to_arrow_reader(BATCH)
        with pa.ipc.new_file(folder / "typed", reader.schema) as out:
            for batch in reader:
                out.write_batch(batch)

    return work


def _settings() -> dict[str, str | int]:
    return {"threads": os.cpu_count() or 1, "memory_limit": os.environ.get("TYPED_MEMORY", "1GiB")}


def stage(folder: Path) -> Callable[[], None]:
    """Return the stage over the same rows."""
    rows, spec, joined = _prepared(folder)

    def work() -> None:
        run_steps(rows.table, rows.schema, spec, where="benchmark", joined=joined)

    return work


def check(folder: Path) -> Callable[[], None]:
    """Return the check of rows that the stage made before the clock started."""
    rows, spec, joined = _prepared(folder)
    made = run_steps(rows.table, rows.schema, spec, where="benchmark", joined=joined)
    return lambda: print(require_known_in_time(rows, made, spec, where="benchmark", joined=joined))


def _prepared(folder: Path) -> tuple[Dataset, PipelineSpec, dict[str, pa.Table]]:
    table = mapped_table(folder / "rows")
    described = {
        "name": "benchmark",
        "task": "regression",
        "dataset": {"source": "rows.parquet", "target": "amount", "limits": {"seconds": 3600}},
        "features": {"steps": STEPS, "time": "moment"},
    }
    spec = PipelineSpec.model_validate(described, strict=False)
    schema = infer_schema(table.slice(0, 1000), spec.source_dataset)
    rows = Dataset(table, schema, fingerprint(table.slice(0, 1)), {})
    return rows, spec, {"places": mapped_table(folder / "places")}


WORK = {"typed": typed, "stage": stage, "check": check}


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


class _Memory:
    """The most memory in MiB that this process and its children hold beside mapped files, sampled repeatedly."""

    def __init__(self) -> None:
        self.first = self.most = _held()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            self.most = max(self.most, _held())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


def _held() -> float:
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text(encoding="ascii").split()
    return sum(_anonymous(pid) for pid in (str(os.getpid()), *children))


def _anonymous(pid: str) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:  # it has just ended
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon")), 0.0)
