"""Modules that stored models name by an earlier path, and where their classes are now.

A skops file names each class by its module, and MLflow imports that module without any code of ours. So the paths of
stored models stay importable: importing `assay` installs a finder that resolves an earlier path to the present module.
The classes of stored models live in the modules on the right; moving one of them again needs a further entry here.
"""

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import MappingProxyType, ModuleType

MOVED_MODULES = MappingProxyType(
    {
        "assay.estimators.xgboost_labels": "assay.learning.estimators.xgboost_labels",
        "assay.transformers.calendar_features": "assay.learning.preprocessing.transformers",
        "assay.transformers.raw_numbers": "assay.learning.preprocessing.transformers",
        "assay.transformers.text_features": "assay.learning.preprocessing.transformers",
    }
)
"""The module of version 0.1, and the present module of its classes."""
_PACKAGES = frozenset(name.rpartition(".")[0] for name in MOVED_MODULES)


def current_name(name: str) -> str:
    """Return the present full name of a class that a stored model names."""
    module, _, cls = name.rpartition(".")
    return f"{MOVED_MODULES.get(module, module)}.{cls}"


def install_finder() -> None:
    """Make the earlier paths importable in this process."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())


class _Finder(MetaPathFinder):
    """Finds earlier paths only; it stands last, so that it is asked for no module that exists."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - the protocol's signature
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        if fullname in _PACKAGES or fullname in MOVED_MODULES:
            return ModuleSpec(fullname, _Loader(), is_package=fullname in _PACKAGES)
        return None


class _Loader(Loader):
    def create_module(self, spec: ModuleSpec) -> None:  # noqa: ARG002 - the default module will do
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Give the module the classes of the present one."""
        present = MOVED_MODULES.get(module.__name__)
        if present is not None:
            names = vars(importlib.import_module(present))
            vars(module).update({name: value for name, value in names.items() if not name.startswith("_")})
