"""How long the new-data sensor's looks take, and what they cost, over a folder of many files.

Run: python benchmarks/sensor.py [--files 100000]. Prints a table. Does not belong here: correctness (the tests).
"""

import argparse
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from assay.arrivals.scan import Circumstances, Look, look
from assay.arrivals.state import SensorState
from assay.specs.dataset import DatasetSpec, PartitionsSpec
from resources.arrivals_store import ArrivalsFolder
from resources.sources.local import LocalSource
from resources.store.local import LocalStore


def main() -> None:
    """Fill a folder, scan it, and look at it while nothing and something happens."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    count = parser.parse_args().files
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root, "in")
        folder.mkdir()
        for number in range(count):
            (folder / f"{number:07d}.csv").touch()
        bench = _Bench(folder, Path(root, "store"))
        print(f"{count:,} files\n\n{'look':<42}{'seconds':>9}{'peak MB':>9}{'cursor B':>10}{'runs':>6}")
        number = 0
        while not bench.state.scanned:
            number += 1
            bench.look(f"first scan, look {number}")
        for number in range(1, 4):
            bench.look(f"nothing new, look {number}")
        (folder / "zzz.csv").touch()
        bench.look("a file that sorts last")
        (folder / "0.csv").touch()
        (folder / f"{count // 2:07d}.csv").write_text("rewritten")
        bench.until(2, "a file that sorts first, and an overwrite")


class _Bench:
    def __init__(self, folder: Path, store: Path) -> None:
        self._pattern = f"{folder}/*.csv"
        self._kept = ArrivalsFolder(LocalStore(store), "bench/@arrivals")
        dataset = DatasetSpec(source=self._pattern, target="y", partitions=PartitionsSpec(by="object"))
        self._rules = Circumstances(dataset, skip_existing=True)
        self.state = SensorState(source=self._pattern)

    def look(self, name: str) -> Look:
        """Take a look and print what it took; the time is measured without the tracing of memory."""
        seconds, _ = _timed(self._seen)
        tracemalloc.start()
        seen = self._seen()
        peak = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        self.state = seen.state
        cursor = len(seen.state.model_dump_json())
        print(f"{name:<42}{seconds:>9.3f}{peak:>9.1f}{cursor:>10}{len(seen.arrivals):>6}")
        return seen

    def until(self, runs: int, name: str) -> None:
        """Look until so many runs were requested."""
        begin, looks, requested = time.perf_counter(), 0, 0
        while requested < runs:
            seen = self._seen()
            self.state, looks, requested = seen.state, looks + 1, requested + len(seen.arrivals)
        mean = (time.perf_counter() - begin) / looks
        print(f"{name:<42}{mean:>9.3f}{'':>9}{'':>10}{requested:>6}  (mean of {looks} looks)")

    def _seen(self) -> Look:
        self._kept.remove(self.state.replaced)
        return look(self.state, LocalSource(self._pattern), self._kept, self._rules)


def _timed(act: Callable[[], Look]) -> tuple[float, Look]:
    begin = time.perf_counter()
    result = act()
    return time.perf_counter() - begin, result


if __name__ == "__main__":
    main()
