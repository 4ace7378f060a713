"""Objects named by import path: models, metrics and transformers of the user's own.

Does not belong here: what such an object must be able to do; its user checks that.
"""

import importlib
import re
from typing import Any

from assay.errors import AssayError, SpecError, did_you_mean

_IMPORT_PATH = re.compile(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")


def is_import_path(name: str) -> bool:
    """Return whether a name is written as ``package.module:Name``."""
    return _IMPORT_PATH.match(name) is not None


def import_object(path: str, *, where: str, error: type[AssayError] = SpecError) -> Any:
    """Import what ``package.module:Name`` names.

    Args:
        path: module and attribute, separated by a colon; the attribute may be dotted.
        where: the field of the pipeline that holds the path, for the message.
        error: the kind of error to raise.

    Returns:
        The object.

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
