"""A typed error read back from the text that an orchestrator kept of it.

Offending values are left behind: they may be personal, and a notice leaves the platform.
Does not belong here: the errors (`assay.errors`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_HEAD = re.compile(r"^(?:[\w.]+: )?\[(?P<code>[a-z_]+)(?:: (?P<defect>\w+))?\] (?P<what>.*)$")
_CLASS = re.compile(r"^(?P<name>[A-Za-z_][\w.]*)(?::|$)")


@dataclass(frozen=True, slots=True)
class ToldError:
    """What a notice says of a failure.

    Attributes:
        code: of the typed error; the class of an error of another kind.
        what: one sentence; empty for an error of another kind, whose text might hold values of the data.
        where: file, asset, column.
        remedy: the next thing to do.
    """

    code: str
    what: str = ""
    where: str = ""
    remedy: str = ""


def told_error(chain: Sequence[str]) -> ToldError:
    """Return the innermost typed error of a chain of causes; the innermost error at all where none is typed.

    Args:
        chain: `module.Class: text` of each error, the outermost first; at least one.
    """
    typed = [found for found in map(_typed, chain) if found]
    if typed:
        return typed[-1]
    named = _CLASS.match(chain[-1].strip())
    return ToldError(code=named["name"].rpartition(".")[2] if named else "error")


def _typed(message: str) -> ToldError | None:
    first, *rest = message.strip().splitlines() or [""]
    head = _HEAD.match(first)
    if head is None:
        return None
    code = f"{head['code']}: {head['defect']}" if head["defect"] else head["code"]
    # an error may quote others between its place and its remedy: its own are the first and the last
    return ToldError(code=code, what=head["what"], where=_field(rest, "where"), remedy=_field(rest[::-1], "remedy"))


def _field(lines: Sequence[str], name: str) -> str:
    prefix = f"  {name}: "
    return next((line.removeprefix(prefix) for line in lines if line.startswith(prefix)), "")
