"""A Dockerfile as the instructions that `docker build` would carry out; just enough of its syntax for ours."""

import json
import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Instruction:
    """One instruction: its name in capitals, its flags by name, and what follows them."""

    name: str
    flags: dict[str, str]
    rest: str

    @property
    def words(self) -> list[str]:
        """The arguments: of the JSON form, or separated by blanks."""
        return json.loads(self.rest) if self.rest.startswith("[") else self.rest.split()


@dataclass(frozen=True)
class Stage:
    """The instructions from one FROM to the next."""

    instructions: tuple[Instruction, ...]

    def all(self, name: str) -> list[Instruction]:
        return [each for each in self.instructions if each.name == name]

    def last(self, name: str) -> Instruction:
        return self.all(name)[-1]

    @property
    def copied(self) -> list[str]:
        """What is copied from the context of the build."""
        return [word for each in self.all("COPY") if "from" not in each.flags for word in each.words[:-1]]

    @property
    def arguments(self) -> dict[str, str]:
        """The arguments of the build with a default."""
        given = (each.rest.partition("=") for each in self.all("ARG"))
        return {name: default.strip('"') for name, _, default in given}

    def environment(self, **arguments: str) -> dict[str, str]:
        """Return the variables of a container, with values of build arguments and a plain PATH."""
        known, kept = {"PATH": "/usr/bin:/bin"}, {"PATH"}
        for each in self.instructions:
            if each.name == "ARG":
                name, _, default = each.rest.partition("=")
                known[name] = arguments.get(name, default)
            elif each.name == "ENV":
                given = dict(word.split("=", 1) for word in each.words)
                known |= {name: string.Template(value).substitute(known) for name, value in given.items()}
                kept |= given.keys()
        return {name: known[name] for name in kept}


def stages_of(path: Path) -> list[Stage]:
    """Read a file's stages."""
    found: list[list[Instruction]] = []
    for instruction in _instructions(path.read_text()):
        if instruction.name == "FROM":
            found.append([])
        found[-1].append(instruction)
    return [Stage(tuple(each)) for each in found]


def _instructions(text: str) -> Iterator[Instruction]:
    lines = "\n".join(line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    for line in re.sub(r"\\\n", " ", lines).splitlines():
        name, _, rest = line.partition(" ")
        flags = {}
        while flag := re.match(r"\s*--([\w-]+)=(\S+)\s+", rest):
            flags[flag[1]], rest = flag[2], rest[flag.end() :]
        yield Instruction(name.upper(), flags, rest.strip())
