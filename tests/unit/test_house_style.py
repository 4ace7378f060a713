"""The house style, where no tool knows it."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
FLOORS = ("assay", "resources", "ml_assets", "serving")
UNSAFE = {"pickle", "joblib", "cloudpickle", "dill", "shelve", "marshal"}


@cache
def modules() -> dict[str, ast.Module]:
    paths = [ROOT / "definitions.py", *(path for floor in FLOORS for path in (ROOT / floor).rglob("*.py"))]
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in sorted(paths)}


def length(function: ast.FunctionDef) -> int:
    """Lines of a function's body, its docstring left out."""
    first = function.body[1] if ast.get_docstring(function) and len(function.body) > 1 else function.body[0]
    return (function.end_lineno or 0) - first.lineno + 1


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]


def test_functions_are_short():
    long = [
        f"{name}: {node.name} has {length(node)} lines"
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("build_") and length(node) > 45
    ]
    assert not long


def test_modules_hold_one_idea():
    lines = {name: len((ROOT / name).read_text().splitlines()) for name in modules()}
    assert not {name: count for name, count in lines.items() if count > 450}


def test_a_package_says_what_belongs_in_it():
    packages = {name: tree for name, tree in modules().items() if name.endswith("__init__.py")}
    assert packages
    assert not [
        name for name, tree in packages.items() if "Does not belong here" not in (ast.get_docstring(tree) or "")
    ]


def test_only_the_settings_read_the_environment():
    readers = {
        name
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
        and node.attr in {"environ", "getenv", "putenv"}
    }
    assert readers <= {"resources/settings.py"}


def test_nothing_is_pickled():
    assert not [name for name, tree in modules().items() if set(imported(tree)) & UNSAFE]


def test_dagster_can_read_annotations():
    postponed = [
        name for name, tree in modules().items() if name.startswith("ml_assets") and "__future__" in set(imported(tree))
    ]
    assert not postponed


def test_no_module_is_a_drawer():
    assert not {Path(name).name for name in modules()} & {"utils.py", "helpers.py", "common.py", "misc.py"}


DAGSTER_INTERNALS = {"ml_assets/dagster_internals.py", "ml_assets/dagster_executors.py"}
BELOW_IT = {"resources/instance_storage.py", "resources/launching_user.py", "resources/artifacts/io_manager.py"}
"""They cannot import them, and Dagster loads the first two by its configuration."""
UNDOCUMENTED = {
    "asset_backfill_data",
    "asset_layer",
    "code_versions_by_key",
    "daemon_cursor_storage",
    "entity_partitions_def",
    "event_log_storage",
    "event_specific_data",
    "executor_creation_fn",
    "get_backfill",
    "get_output_name_for_asset_key",
    "get_requirements",
    "get_step_execution_context",
    "keys_by_input_name",
    "op_execution_context",
    "previous_attempt_count",
    "step_context",
}
"""Attributes of Dagster's classes that its documentation does not list."""


def private_names_of_dagster(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("dagster._", "dagster_shared")):
            yield str(node.module)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith(("dagster._", "dagster_shared")))
        elif isinstance(node, ast.Attribute) and node.attr in UNDOCUMENTED:
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in RUN_TAGS:
            yield node.value


RUN_TAGS = {"dagster/partition", "dagster/will_retry", "dagster/run_key", "dagster/sensor_name", "dagster/backfill"}


def test_private_names_of_dagster_are_in_two_modules():
    found = {
        name: names
        for name, tree in modules().items()
        if name not in {*DAGSTER_INTERNALS, *BELOW_IT} and (names := sorted(private_names_of_dagster(tree)))
    }
    assert not found
