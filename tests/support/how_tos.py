"""The how-tos as data: their titled files, and their commands with what these print."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ruamel.yaml import YAML

HOW_TOS = Path(__file__).parents[2] / "docs" / "how-to"
BLOCK = re.compile(r'^```(?P<kind>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<body>.*?)^```$', re.MULTILINE | re.DOTALL)
EXITS = re.compile(r"\s*# exits (\d+)$")


@dataclass
class Command:
    line: str
    exit_code: int = 0
    expected: list[str] = field(default_factory=list)


def commands_of(console: str) -> list[Command]:
    commands: list[Command] = []
    for line in console.strip().splitlines():
        if line.startswith("$ "):
            exits = EXITS.search(line)
            commands.append(Command(EXITS.sub("", line[2:]), int(exits[1]) if exits else 0))
        else:
            commands[-1].expected.append(line)
    return commands


@dataclass(frozen=True)
class HowTo:
    """One page.

    Attributes:
        name: of its file.
        files: what the reader writes, as (path, text).
        commands: what the reader types.
    """

    name: str
    files: list[tuple[str, str]]
    commands: list[Command]


def how_to_of(name: str, text: str) -> HowTo:
    blocks = list(BLOCK.finditer(text))
    return HowTo(
        name,
        [(block["title"], block["body"]) for block in blocks if block["title"]],
        [command for block in blocks if block["kind"] == "console" for command in commands_of(block["body"])],
    )


def how_tos() -> Iterator[HowTo]:
    for path in sorted(HOW_TOS.glob("*.md")):
        yield how_to_of(path.name, path.read_text(encoding="utf-8"))


def pipelines(how_to: HowTo) -> set[str]:
    """The names of a page's pipelines, with components, those that one file makes several of, and drafts."""
    found = set()
    for path, text in how_to.files:
        if path.startswith("pipelines/"):
            spec = YAML(typ="safe").load(text)
            found |= {path.removeprefix("pipelines/").removesuffix(".yaml"), spec.get("name", "")} - {""}
        elif path.endswith("/defs.yaml"):
            found |= {YAML(typ="safe").load(text).get("attributes", {}).get("name", "")} - {""}
    lines = "\n".join(command.line for command in how_to.commands)
    return found | set(re.findall(r"assay add pipeline .*--name (\w+)", lines))
