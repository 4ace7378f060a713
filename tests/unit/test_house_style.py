"""The house style, where no tool knows it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    [
        ROOT / "definitions.py",
        *(path for floor in ("assay", "resources", "ml_assets") for path in (ROOT / floor).rglob("*.py")),
    ]
)
DECORATED_BY_DAGSTER = [path for path in MODULES if "ml_assets" in path.parts]
UNSAFE = {"pickle", "joblib", "cloudpickle", "dill", "shelve", "marshal"}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.fixture(params=MODULES, ids=named)
def module(request):
    return request.param, ast.parse(request.param.read_text())


def test_a_module_says_what_does_not_belong_in_it(module):
    path, tree = module
    assert "not belong" in (ast.get_docstring(tree) or ""), named(path)


def test_modules_and_functions_are_short(module):
    path, tree = module
    assert len(path.read_text().splitlines()) <= 300
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("build_"):
            first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
            length = (node.end_lineno or 0) - first.lineno + 1
            assert length <= 45, f"{named(path)}: {node.name} has {length} lines"


def test_only_the_settings_read_the_environment(module):
    path, tree = module
    reads = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os"
    }
    if path != ROOT / "resources" / "settings.py":
        assert not reads & {"environ", "getenv", "putenv"}


def test_nothing_is_pickled(module):
    _, tree = module
    imported = {alias.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names}
    imported |= {(n.module or "").split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert not imported & UNSAFE


@pytest.mark.parametrize("path", DECORATED_BY_DAGSTER, ids=named)
def test_dagster_can_read_annotations(path):
    assert "from __future__ import annotations" not in path.read_text()


def test_no_module_is_a_drawer():
    assert not {path.name for path in MODULES} & {"utils.py", "helpers.py", "common.py", "misc.py"}
