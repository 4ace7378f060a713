"""The users' own modules: models, metrics, transformers and rules that pipelines name by import path."""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType


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
