"""Each sentence that is made of values stands in a test, so that a new one without a test is found here."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAID_BY = (
    "assay/arrivals/scan.py",
    "assay/features/checks.py",
    "assay/features/dropped_rows.py",
    "assay/features/history.py",
    "assay/features/past.py",
    "assay/gate",
    "assay/live",
    "assay/monitoring",
    "assay/notifications",
    "assay/prediction/checks.py",
    "assay/promotion",
    "assay/reporting/page.py",
    "assay/results",
    "assay/shell/file_summaries.py",
    "assay/shell/summary.py",
    "ml_assets/assets",
    "ml_assets/commands",
    "ml_assets/planning.py",
    "ml_assets/run_summary.py",
    "ml_assets/run_values.py",
)
TITLES = (
    "![",
    "<svg",
    "Version ",
    "Gain of the challenger",
    "Answered rows by version and arm",
    "serving.labels, source ",
    "validation.custom.",
    "the pipeline files of ",
)
"""Beginnings of drawings and their titles, and of places of errors."""
SHORTEST = 8
JOINED = re.compile(r"""["']\s*\n\s*f?["']""")


def sentences(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line and the fixed parts of each f-string with words; errors have tests of their own kind."""
    tree = ast.parse(text)
    raised = {id(each) for node in ast.walk(tree) if _is_error(node) for each in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and id(node) not in raised:
            fixed = [str(each.value) for each in node.values if isinstance(each, ast.Constant)]
            is_made = len(fixed) < len(node.values)
            if is_made and len(re.findall(r"[A-Za-z]{2,}", " ".join(fixed))) > 1:
                yield node.lineno, fixed


def _is_error(node: ast.AST) -> bool:
    named = getattr(node, "func", None)
    return isinstance(node, ast.Raise) or str(getattr(named, "id", "")).endswith(("Error", "error"))


def in_a_test(fixed: list[str], tests: str) -> bool:
    """Whether one of the longer fixed parts of a sentence, or the longest where all are short, stands in the tests."""
    parts = [each.strip() for each in fixed]
    longer = [each for each in parts if len(each) >= SHORTEST] or [max(parts, key=len)]
    return any(each in tests for each in longer)


@pytest.fixture(scope="module")
def tests() -> str:
    files = [path for kind in ("*.py", "*.txt") for path in (ROOT / "tests").rglob(kind)]
    return JOINED.sub("", "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in files))


def modules() -> Iterator[str]:
    for name in SAID_BY:
        path = ROOT / name
        for each in [path] if path.is_file() else sorted(path.rglob("*.py")):
            yield each.relative_to(ROOT).as_posix()


def test_every_sentence_is_in_a_test(tests):
    missing = [
        f"{name}:{line} {' ... '.join(fixed)}"
        for name in modules()
        for line, fixed in sentences((ROOT / name).read_text(encoding="utf-8"))
        if not fixed[0].startswith(TITLES) and not in_a_test(fixed, tests)
    ]
    assert missing == []


def test_a_sentence_without_a_test_is_found():
    ((line, fixed),) = sentences('def said(n):\n    return f"{n} rows are of no known season"\n')
    assert (line, fixed) == (2, [" rows are of no known season"])
    assert not in_a_test(fixed, "3 rows are of another season")
    assert in_a_test(fixed, 'assert said(3) == "3 rows are of no known season"')
    assert not list(sentences('raise StoreError(f"{n} rows are of no known season")'))
