"""Objects named by import path: models, metrics, transformers and rules of the user's own.

Importing a module runs it, so a deployment confines the paths that pipelines name: `confine_imports`. Paths that the
code itself names go through `import_object`, those of users through `import_users_object`.
"""

import ast
import importlib
import importlib.util
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from assay.errors import AssayError, SpecError, did_you_mean

_IMPORT_PATH = re.compile(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")

MODEL_PACKAGES = ("sklearn", "lightgbm", "xgboost")
"""Installed packages that pipelines may name without a setting."""
_PLATFORM = frozenset({"assay", "resources", "ml_assets", "serving", "definitions"})


@dataclass(frozen=True, slots=True)
class ImportPolicy:
    """Where the modules may come from that users name.

    Attributes:
        folder: of the users' own modules.
        packages: names of further top-level packages.
    """

    folder: Path
    packages: tuple[str, ...] = MODEL_PACKAGES

    def allows(self, module: str) -> bool:
        """Return whether users may name a module; nothing is imported to find out."""
        top = module.partition(".")[0]
        if top in self.packages:
            return True
        if top in _PLATFORM or top in sys.stdlib_module_names:
            return False
        own = _origins(PathFinder.find_spec(top, [str(self.folder)]))
        return bool(own) and own == _origins(_found(top))


_policy: ImportPolicy | None = None


def confine_imports(policy: ImportPolicy | None) -> None:
    """Confine what users may name in this process; None for no bounds, as in a program that uses the library."""
    global _policy  # noqa: PLW0603 - one policy for each process
    _policy = policy


def import_policy() -> ImportPolicy | None:
    """Return what confines this process, for one that it starts."""
    return _policy


@contextmanager
def confined_imports(policy: ImportPolicy) -> Iterator[None]:
    """Confine what users may name, for the length of a `with`."""
    before = _policy
    confine_imports(policy)
    try:
        yield
    finally:
        confine_imports(before)


def is_import_path(name: str) -> bool:
    """Return whether a name is written as ``package.module:Name``."""
    return _IMPORT_PATH.match(name) is not None


def import_object(path: str, *, where: str, error: type[AssayError] = SpecError) -> Any:
    """Import what ``package.module:Name`` names.

    Raises:
        AssayError: of the kind `error`; the path is malformed, its module cannot be imported, or has no such name.
    """
    if not is_import_path(path):
        raise error("this is not an import path", where=where, found=repr(path), expected="package.module:Name")
    module_name, _, attribute = path.partition(":")
    found = _import_module(module_name, path, where, error)
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise error(
                f"'{module_name}' has no '{attribute}'{did_you_mean(part, dir(found))}", where=where, found=repr(path)
            )
        found = getattr(found, part)
    return found


def import_users_object(path: str, *, where: str, error: type[AssayError] = SpecError) -> Any:
    """Import what a user's ``package.module:Name`` names, within the bounds of `confine_imports`.

    Raises:
        AssayError: of the kind `error`; as of `import_object`, or the object is not one that users may name.
    """
    module, _, attribute = path.partition(":")
    if _policy is None or not is_import_path(path):
        return import_object(path, where=where, error=error)
    if not _policy.allows(module):
        raise _not_allowed(f"the module '{module}' may not be named here", path, where, error)
    found = import_object(path, where=where, error=error)
    # an allowed module refers to others: `own_rules:subprocess.call`
    if isinstance(found, ModuleType) or _passes_through_module(module, attribute):
        raise _not_allowed("the path leads into another module", path, where, error)
    home = _home_of(found)
    if home and not _policy.allows(home):
        raise _not_allowed(f"'{attribute}' belongs to the module '{home}'", path, where, error)
    return found


def refuse_missing_object(path: str) -> None:
    """Refuse an import path of a user that its file tells to be wrong; nothing is imported.

    Raises:
        SpecError: the module may not be named or is not there, its file is no Python, or defines no such name.
    """
    module, _, attribute = path.partition(":")
    source = users_source(path)
    if source is None:
        if _policy is not None and is_import_path(path) and not _policy.allows(module):
            own = sorted(file.stem for file in _policy.folder.glob("*.py"))
            hint = did_you_mean(module, own)
            raise _not_allowed(f"the module '{module}' may not be named here{hint}", path, "", SpecError)
        return
    try:
        names = _names_of(ast.parse(source))
    except SyntaxError as error:
        found = f"line {error.lineno}: {error.msg}"
        raise SpecError(f"the module '{module}' is no Python", found=found, remedy="correct the file") from error
    name = attribute.partition(".")[0]
    if names is not None and name not in names:
        raise SpecError(
            f"'{module}' has no '{name}'{did_you_mean(name, names)}",
            found=repr(path),
            expected=f"one of {', '.join(sorted(names))}" if names else "a function in the file",
            remedy="correct the name",
        )


def _names_of(tree: ast.Module) -> set[str] | None:
    """Return the names that a module defines or imports; None where only running it shows them."""
    found: set[str] = set()
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                found |= {(each.asname or each.name).partition(".")[0] for each in names}
            case ast.Assign() | ast.AnnAssign():
                found |= {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
            case ast.Expr(value=ast.Constant()):
                continue
            case _:  # a name may be defined below it
                return None
    return None if {"*", "__getattr__"} & found else found


def users_files(path: str) -> Iterator[tuple[str, bytes]]:
    """Yield the files of the user's own top-level module that a path names, by their names on the Python path.

    Nothing is imported. A module of an installed package has none.
    """
    top = path.partition(":")[0].partition(".")[0]
    if _policy is None or not is_import_path(path) or top in _policy.packages:
        return
    single, package = _policy.folder / f"{top}.py", _policy.folder / top
    for file in [single] if single.is_file() else sorted(package.rglob("*.py")):
        yield file.relative_to(_policy.folder).as_posix(), file.read_bytes()


def users_source(path: str) -> str | None:
    """Return the source of the module of the user's own that a path names, without importing it; None for any other."""
    if _policy is None or not is_import_path(path):
        return None
    module = _policy.folder.joinpath(*path.partition(":")[0].split("."))
    for file in (module.with_suffix(".py"), module / "__init__.py"):
        if file.is_file():
            return file.read_text(encoding="utf-8", errors="replace")
    return None


def _not_allowed(what: str, path: str, where: str, error: type[AssayError]) -> AssayError:
    assert _policy is not None  # noqa: S101 - callers have checked
    return error(
        what,
        where=where,
        found=repr(path),
        expected=f"a module in {_policy.folder}, or one of the packages {', '.join(_policy.packages)}",
        remedy="put a module of your own there that defines it, or have the deployment add the package to "
        "ASSAY_IMPORT_PACKAGES",
    )


def _passes_through_module(module: str, attribute: str) -> bool:
    found: Any = sys.modules[module]
    for part in attribute.split("."):
        found = getattr(found, part)
        if isinstance(found, ModuleType) or (part.startswith("__") and part.endswith("__")):
            return True
    return False


def _home_of(found: Any) -> str:
    """Return the module that defines a class or function; empty for other values, which an allowed module made."""
    if not isinstance(found, type) and not hasattr(found, "__code__") and type(found).__module__ != "builtins":
        return ""
    return str(getattr(found, "__module__", None) or "")


def _found(name: str) -> ModuleSpec | None:
    loaded = sys.modules.get(name)
    try:
        return loaded.__spec__ if loaded is not None else importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None


def _origins(spec: ModuleSpec | None) -> frozenset[Path]:
    if spec is None:
        return frozenset()
    places = list(spec.submodule_search_locations or []) or [spec.origin or ""]
    return frozenset(Path(place).resolve() for place in places)


def _import_module(name: str, path: str, where: str, error: type[AssayError]) -> Any:
    try:
        return importlib.import_module(name)
    except Exception as problem:  # importing runs the module's code, which may raise anything
        raise error(
            f"the module '{name}' cannot be imported",
            where=where,
            found=f"{path!r}: {type(problem).__name__}: {problem}",
            remedy="install the package, or put the module on the Python path of every process that runs pipelines",
        ) from problem


class ExtensionFinder:
    """Finds top-level modules in one folder, after every other finder has passed.

    Dagster restores `sys.path` after loading a code location, so a folder added there is missing when steps run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,  # noqa: ARG002 - the protocol's signature
    ) -> ModuleSpec | None:
        """Return where a top-level module is; submodules are found by their package."""
        return PathFinder.find_spec(name, [str(self.folder)]) if path is None else None


def make_importable(folder: Path) -> None:
    """Let this process import the modules of a folder; installed modules come first."""
    known = {finder.folder for finder in sys.meta_path if isinstance(finder, ExtensionFinder)}
    if folder not in known:
        sys.meta_path.append(ExtensionFinder(folder))
