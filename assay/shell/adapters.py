"""What an installed platform adds to the commands, found by entry points.

Does not belong here: any adapter; the domain knows no network.
"""

import importlib.metadata
from typing import Any

from assay.errors import AssayError


def adapter(group: str, name: str, *, error: type[AssayError], what: str, where: str, expected: str = "") -> Any:
    """Return what an entry point names.

    Args:
        group: the entry points' group.
        name: of the entry point.
        error: the kind of error to raise.
        what: the sentence that says what cannot be done without it.
        where: the address that needs it.
        expected: what works, for the message.

    Raises:
        AssayError: of the kind `error`; there is no such entry point, or what it names is not installed.
    """
    found = list(importlib.metadata.entry_points(group=group, name=name))
    if not found:
        raise error(what, where=where, found=f"no adapter for '{name}'", expected=expected, remedy=_REMEDY)
    try:
        return found[0].load()
    except ModuleNotFoundError as missing:
        absent = f"the adapter for '{name}' needs the module '{missing.name}', which is not installed"
        raise error(what, where=where, found=absent, expected=expected, remedy=_REMEDY) from missing


_REMEDY = (
    "install the platform: a checkout with its dependencies (uv sync), and run the command in its folder; or bring the "
    "files to this machine"
)
