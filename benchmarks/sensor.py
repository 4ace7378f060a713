"""Time and memory of the new-data sensor's scans over a folder of many files.

Run: python benchmarks/sensor.py [--files 100000]. Prints a table.
"""

import argparse
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from assay.arrivals.scan import ScanOptions, ScanResult, scan_source
from assay.arrivals.state import SensorState
from assay.specs.dataset import DatasetSpec, PartitionsSpec
from resources.arrivals_store import ArrivalsFolder
from resources.sources.local import LocalSource
from resources.store.local import LocalStore


def main() -> None:
    """Fill a folder and scan it: first pass, nothing new, and new files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    count = parser.parse_args().files
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root, "in")
        folder.mkdir()
        for number in range(count):
            (folder / f"{number:07d}.csv").touch()
        bench = _Bench(folder, Path(root, "store"))
        print(f"{count:,} files\n\n{'scan':<42}{'seconds':>9}{'peak MB':>9}{'cursor B':>10}{'runs':>6}")
        number = 0
        while not bench.state.scanned:
            number += 1
            bench.scan(f"first pass, scan {number}")
        for number in range(1, 4):
            bench.scan(f"nothing new, scan {number}")
        (folder / "zzz.csv").touch()
        bench.scan("a file that sorts last")
        (folder / "0.csv").touch()
        (folder / f"{count // 2:07d}.csv").write_text("rewritten")
        bench.until(2, "a file that sorts first, and an overwrite")


class _Bench:
    def __init__(self, folder: Path, store: Path) -> None:
        self._pattern = f"{folder}/*.csv"
        self._kept = ArrivalsFolder(LocalStore(store), "bench/@arrivals")
        dataset = DatasetSpec(source=self._pattern, target="y", partitions=PartitionsSpec(by="object"))
        self._rules = ScanOptions(dataset, skip_existing=True)
        self.state = SensorState(source=self._pattern)

    def scan(self, name: str) -> ScanResult:
        """Scan and print time and peak memory; time is measured without memory tracing."""
        seconds, _ = _timed(self._scanned)
        tracemalloc.start()
        scan = self._scanned()
        peak = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        self.state = scan.state
        cursor = len(scan.state.model_dump_json())
        print(f"{name:<42}{seconds:>9.3f}{peak:>9.1f}{cursor:>10}{len(scan.arrivals):>6}")
        return scan

    def until(self, runs: int, name: str) -> None:
        """Scan until so many runs were requested."""
        begin, scans, requested = time.perf_counter(), 0, 0
        while requested < runs:
            scan = self._scanned()
            self.state, scans, requested = scan.state, scans + 1, requested + len(scan.arrivals)
        mean = (time.perf_counter() - begin) / scans
        print(f"{name:<42}{mean:>9.3f}{'':>9}{'':>10}{requested:>6}  (mean of {scans} scans)")

    def _scanned(self) -> ScanResult:
        self._kept.remove(self.state.replaced)
        return scan_source(self.state, LocalSource(self._pattern), self._kept, self._rules)


def _timed(act: Callable[[], ScanResult]) -> tuple[float, ScanResult]:
    begin = time.perf_counter()
    result = act()
    return time.perf_counter() - begin, result


if __name__ == "__main__":
    main()
