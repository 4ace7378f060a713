"""Names of assets and partitions as components of keys.

Does not belong here: the layout of keys (`resources.commits.layout`).
"""

import re

from assay.errors import StorageError

_PLAIN = re.compile(r"[a-z0-9_=-]")
_ESCAPED = re.compile(r"%([0-9a-f]{2})")


def encoded(name: str) -> str:
    """Return a component that no other name gives, that no file system folds, and that cannot leave its folder.

    Lower-case letters, digits, `_`, `=` and `-` stand for themselves; every other byte of the UTF-8 text
    becomes `%` and two hex digits. The empty name becomes `%`.

    Args:
        name: any text.
    """
    if not name:
        return "%"
    return "".join(_encoded_byte(byte) for byte in name.encode("utf-8", "surrogatepass"))


def decoded(component: str) -> str:
    """Return the name that a component stands for.

    Raises:
        StorageError: no name gives this component.
    """
    if component == "%":
        return ""
    try:
        raw = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), component).encode("latin-1")
        name = raw.decode("utf-8", "surrogatepass")
    except (UnicodeEncodeError, UnicodeDecodeError) as error:
        raise StorageError("a stored name cannot be read", where=component, found=str(error)) from error
    if encoded(name) != component:
        raise StorageError("a stored name cannot be read", where=component, expected=encoded(name))
    return name


def _encoded_byte(byte: int) -> str:
    character = chr(byte)
    return character if _PLAIN.match(character) else f"%{byte:02x}"
