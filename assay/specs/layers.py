"""The document of a pipeline in layers: what it extends, its own file, a part of `for_each`, an environment.

Mappings are merged key by key; any other value, lists included, replaces the one below it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from assay.errors import SpecError
from assay.specs.base import Location
from assay.specs.yaml_text import line_of, read_marked_yaml, read_yaml

_SHARED = "x-"
"""Top-level keys that begin so hold YAML anchors and nothing that is read."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A part of a file.

    Attributes:
        where: the file.
        text: its text.
        values: the part's values.
        at: the part's location in the file.
    """

    where: str
    text: str
    values: Mapping[str, Any]
    at: Location = ()

    def part(self, *location: str | int) -> "Layer":
        """Return the layer of a part of this one."""
        values: Any = self.values
        for key in location:
            values = values[key]
        return Layer(self.where, self.text, values, (*self.at, *location))

    def line_of(self, location: Location) -> int:
        """Return the 1-based line of a location below the part, or of its nearest parent."""
        return line_of(read_marked_yaml(self.text, self.where), (*self.at, *location))

    def where_of(self, location: Location) -> str:
        """Return file, line and dotted location of a value below the part."""
        dotted = ".".join(map(str, (*self.at, *location))) or "the file"
        return f"{self.where}:{self.line_of(location)} ({dotted})"


@dataclass(frozen=True)
class LayeredDocument:
    """Layers, the lowest first, and which of them is the file itself."""

    layers: tuple[Layer, ...]
    own: Layer

    @cached_property
    def values(self) -> dict[str, Any]:
        """All layers merged."""
        found: dict[str, Any] = {}
        for layer in self.layers:
            found = merged(found, layer.values)
        return found

    @property
    def where(self) -> str:
        """The file, for messages."""
        return self.own.where

    def where_of(self, location: Location) -> str:
        """Return file, line and dotted location of a value, in the layer that it comes from."""
        return self._layer_of(location).where_of(location)

    def order_of(self, location: Location) -> tuple[int, int]:
        """Return what sorts locations as a reader finds them: by layer, then by line."""
        layer = self._layer_of(location)
        return (self.layers.index(layer) if layer in self.layers else 0, layer.line_of(location))

    def _layer_of(self, location: Location) -> Layer:
        """Return the highest of the layers that have most of a location; the file where none has any of it."""
        found, depth = self.own, _depth(self.own.values, location)
        for layer in self.layers:
            here = _depth(layer.values, location)
            if here and here >= depth:
                found, depth = layer, here
        return found


def _depth(values: Any, location: Sequence[str | int]) -> int:
    """Return how many parts of a location there are."""
    for depth, part in enumerate(location):
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            return depth
    return len(location)


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document laid over another; none of the two is changed."""
    found = dict(below)
    for key, value in above.items():
        lower = found.get(key)
        found[key] = merged(lower, value) if isinstance(lower, dict) and isinstance(value, dict) else value
    return found


@lru_cache(maxsize=64)  # many pipelines extend one file
def layer_of_text(text: str, where: str) -> Layer:
    """Return the layer of a file's text.

    Raises:
        SpecError: the text is not a mapping in valid YAML.
    """
    document = read_yaml(text, where)
    if not isinstance(document, dict):
        raise SpecError("a pipeline file is a mapping", where=where, found=type(document).__name__)
    return Layer(where, text, {key: value for key, value in document.items() if not str(key).startswith(_SHARED)})


def read_layer(path: Path) -> Layer:
    """Return the layer of a file.

    Raises:
        SpecError: the file cannot be read, or is not a mapping in valid YAML.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError("the pipeline file cannot be read", where=str(path), found=str(error)) from error
    return layer_of_text(text, str(path))


def texts_in(node: Any, location: Location = ()) -> Iterator[tuple[Location, str]]:
    """Yield all texts of a document with their locations; keys are none."""
    if isinstance(node, str):
        yield location, node
    items: Any = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield from texts_in(value, (*location, key))
