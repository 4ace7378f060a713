"""The corpus as a page for people: `python -m hostile_corpus.document` writes it."""

from collections.abc import Iterable
from pathlib import Path

from hostile_corpus.cases import Exact, HostileCase, Refused
from hostile_corpus.corpus import CASES

PAGE = Path(__file__).parents[3] / "docs" / "hostile-inputs.md"
_TITLES = {
    "csv": "Delimited text",
    "json": "JSON",
    "jsonl": "JSON lines",
    "xlsx": "Workbooks",
    "parquet": "Parquet",
    "feather": "Feather",
    "compressed": "Compressed files",
}
_KINDS = {"tsv": "csv", "dat": "csv", "xls": "xlsx"} | dict.fromkeys(("gz", "bz2", "xz", "zip", "zst"), "compressed")
_HEAD = """# Hostile inputs

How Assay reads files that are damaged, ambiguous, inconsistent or only unusual. Every row is a test
(`tests/hostile`): each file is read as **exact** data, compared value by value with dtypes and order, NaN and missing
distinguished, or it is **refused** with a stable code and defect (`assay.errors`, `assay.reading.defects`) and the
location. Nothing is silently changed. Files marked † are read in a process with limited memory and time.

This page is generated: `PYTHONPATH=.:tests/support python -m hostile_corpus.document`.
"""


def rendered(cases: Iterable[HostileCase] = CASES) -> str:
    """Return the page."""
    by_kind: dict[str, list[HostileCase]] = {kind: [] for kind in _TITLES}
    for case in cases:
        ending = case.filename.rsplit(".", 1)[-1]
        by_kind[_KINDS.get(ending, ending)].append(case)
    return _HEAD + "".join(_section(_TITLES[kind], found) for kind, found in by_kind.items())


def _section(title: str, cases: list[HostileCase]) -> str:
    rows = "".join(f"| {_escaped(_named(case))} | `{case.filename}` | {_escaped(_answer(case))} |\n" for case in cases)
    return f"\n## {title}: {len(cases)}\n\n| What it is | File | Answer |\n|---|---|---|\n{rows}"


def _named(case: HostileCase) -> str:
    return f"{case.name} †" if case.confined else case.name


def _answer(case: HostileCase) -> str:
    expected = case.expected
    if isinstance(expected, Exact):
        return "exact"
    return f"refused: `{expected.defect or expected.code}`{_location(expected)}"


def _location(expected: Refused) -> str:
    parts = [
        f"row {expected.row:,}" if expected.row is not None else "",
        f"column `{expected.column}`" if expected.column else "",
        f"byte {expected.byte:,}" if expected.byte is not None else "",
    ]
    joined = ", ".join(part for part in parts if part)
    return f" at {joined}" if joined else ""


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(rendered(), encoding="utf-8")
