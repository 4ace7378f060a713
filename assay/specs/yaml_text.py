"""YAML 1.2 text read strictly and fast.

libyaml reads a document in a twentieth of ruamel.yaml's time, but follows YAML 1.1. `read_yaml` lets libyaml parse and
gives plain scalars their YAML 1.2 meaning itself: `no`, `y` and `on` are text. Whatever the two could read differently
(explicit tags, aliases, merge keys, unusual numbers or characters, any error) is read by ruamel.yaml, which also knows
the line of every value.
"""

import re
from collections.abc import Sequence
from typing import Any

import yaml

from assay.errors import SpecError

_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
}
_TEXT, _PLAIN = "text", "plain"
_INT = re.compile(r"-?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+([eE][-+]?[0-9]+)?")
_DATE = re.compile(r"\d{4}-\d\d(-\d\d)?")
_NUMBER_OF_A_KIND = re.compile(r"[-+.0-9][-+.:_0-9a-fA-FoOxX]*|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)|=|<<")
_MOST_LEVELS = 100
_UNUSUAL = re.compile(
    r"[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\uffef\U00010000-\U0010ffff]"  # tabs, controls
    r"|^%"  # directives
    r"|(?:^|[\n \[{,:-])[&*][^\n ]"  # anchors and aliases
    r"|[|>][-+0-9]*#",  # a block scalar's header that runs into a comment
    re.MULTILINE,
)


def read_yaml(text: str, where: str) -> Any:
    """Return a document as plain values.

    Returns:
        Mappings, lists, texts, numbers, booleans and None; dates and times are text.

    Raises:
        SpecError: it is not valid YAML, nests more than 100 levels, repeats a key, or has one that is no scalar; says
            the line.
    """
    _require_bearable(text, where)
    if _UNUSUAL.search(text) is None:
        try:
            return _value(_Composer(text).get_single_node(), set())
        except (yaml.YAMLError, _UnclearError, RecursionError):
            pass  # ruamel.yaml decides, and says where an error is
    return read_marked_yaml(text, where)


def _require_bearable(text: str, where: str) -> None:
    """Refuse what parsers cannot bear, before they recurse.

    Deep nesting overflows libyaml's stack; the time of ruamel.yaml doubles with each level of lists as keys.

    Raises:
        SpecError: more than 100 levels, or a mapping or list as a key; says the line.
    """
    events = _Composer(text)
    open_parts: list[bool | None] = [None]  # of a mapping, whether a key follows; of a list and the document None
    try:
        while not isinstance(event := events.get_event(), yaml.StreamEndEvent | None):
            starts = isinstance(event, yaml.CollectionStartEvent)
            if isinstance(event, yaml.CollectionEndEvent):
                open_parts.pop()
            elif isinstance(event, yaml.NodeEvent) and open_parts[-1] is not None:
                if open_parts[-1] and starts:
                    raise _unbearable("a key is a mapping or a list", event, where, "keys that are texts")
                open_parts[-1] = not open_parts[-1]
            if starts:
                open_parts.append(True if isinstance(event, yaml.MappingStartEvent) else None)
            if len(open_parts) > _MOST_LEVELS + 1:
                raise _unbearable("the file nests too deeply", event, where, f"at most {_MOST_LEVELS} levels")
    except yaml.YAMLError:
        return  # the parser says what and where


def _unbearable(what: str, event: Any, where: str, expected: str) -> SpecError:
    line = event.start_mark.line + 1
    return SpecError(what, where=f"{where}:{line}", expected=expected, remedy="check the brackets and indentation")


class _UnclearError(Exception):
    """The value could mean something else to ruamel.yaml."""


class _Composer(yaml.cyaml.CParser):  # type: ignore[misc]
    """Composes nodes in C. Tags say how a scalar is written; an explicit tag of the document is neither."""

    def descend_resolver(self, *_: object) -> None:
        """Ignore the location: tags do not depend on it."""

    def ascend_resolver(self) -> None:
        """Ignore the location."""

    def resolve(self, _kind: object, _value: object, implicit: Any) -> str:
        """Return the tag of a node without one; `implicit` is a pair for scalars, plain and quoted."""
        return _PLAIN if implicit is True or (implicit and implicit[0]) else _TEXT


def _value(node: Any, seen: set[int]) -> Any:
    if node is None:
        return None
    if isinstance(node, yaml.ScalarNode):
        if node.tag is _PLAIN:
            return _scalar(node.value)
        if node.tag is _TEXT and node.style:  # without a style it has the tag `!`
            return node.value
    if node.tag is not _PLAIN or id(node) in seen:
        raise _UnclearError
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, seen) for item in node.value]
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = _value(key_node, seen)
        if not isinstance(key, str) or key in found:
            raise _UnclearError
        found[key] = _value(value_node, seen)
    return found


def _scalar(text: str) -> str | bool | int | float | None:
    """Return the meaning of an unquoted scalar in the core schema of YAML 1.2."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _NUMBER_OF_A_KIND.fullmatch(text) is None or _DATE.fullmatch(text):
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    raise _UnclearError


def read_marked_yaml(text: str, where: str) -> Any:
    """Return a document as `read_yaml` does, its mappings and lists with the lines of their values.

    Raises:
        SpecError: it is not valid YAML, or repeats a key; says the line.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.constructor import RoundTripConstructor
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    class Constructor(RoundTripConstructor):
        """Dates and times are text, as in the core schema."""

    Constructor.add_constructor("tag:yaml.org,2002:timestamp", lambda self, node: self.construct_scalar(node))
    reader = YAML(typ="rt", pure=True)
    reader.Constructor = Constructor
    try:
        return reader.load(text)
    except MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise SpecError("the file is not valid YAML", where=f"{where}{line}", found=str(error.problem)) from error
    # what ruamel.yaml lets through: `!!int x`, `!!bool x`, `%YAML 1.3`
    except (YAMLError, ValueError, LookupError, AssertionError) as error:
        raise SpecError("the file is not valid YAML", where=where, found=str(error)) from error


def line_of(document: Any, location: Sequence[str | int]) -> int:
    """Return the 1-based line of a location in a marked document, or of its nearest parent that has one."""
    node: Any = document
    line = int(node.lc.line) + 1 if hasattr(node, "lc") else 1
    for part in location:
        try:
            line = int(node.lc.data[part][0]) + 1
            node = node[part]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
    return line
