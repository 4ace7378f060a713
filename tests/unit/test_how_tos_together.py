"""One project can follow all how-tos in any order: each has pipelines, data and code of its own, and no other files."""

import ast
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from itertools import chain, pairwise

import pytest
from how_tos import HowTo, how_to_of, how_tos, pipelines

ALL = list(how_tos())
EACH = pytest.mark.parametrize("how_to", ALL, ids=[each.name for each in ALL])
OWN_FILE = re.compile(r"data/(?P<folder>\w+)/[\w./-]+|pipelines/(?P<pipeline>\w+)\.yaml|extensions/(?P<module>\w+)\.py")
MENTIONED = re.compile(
    r"(?:(?<=\$PWD/)|(?<![\w.-])(?<!\w/))(?:data/(?P<folder>\w+)|pipelines/(?:schemas/)?(?P<pipeline>\w+)\.|extensions[./](?P<module>\w+)"
    r"|\.assay/store/(?:features/)?(?P<stored>\w+))"
)
WRITTEN_BY_OPTION = re.compile(r"--[a-z-]+-(?:uri|path)|-o")


def folders(how_to: HowTo) -> set[str]:
    """The folders below `data/` that a page writes files into."""
    return {match["folder"] for path, _ in how_to.files if (match := OWN_FILE.fullmatch(path)) and match["folder"]} | {
        folder for command in how_to.commands for folder in re.findall(r"mkdir -p data/(\w+)", command.line)
    }


def modules(how_to: HowTo) -> set[str]:
    return {match["module"] for path, _ in how_to.files if (match := OWN_FILE.fullmatch(path)) and match["module"]}


def written_by_commands(how_to: HowTo) -> list[str]:
    """The paths that the shell, its tools and the flags of `assay` write to."""
    found = []
    for command in how_to.commands:
        lexer = shlex.shlex(command.line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = list(lexer)
        for before, word in pairwise(words):
            if before in (">", ">>") or (WRITTEN_BY_OPTION.fullmatch(before) and not before.startswith("--model")):
                found.append(word)
        if words[0] in ("cp", "mv"):
            found.append(words[-1])
        if words[0] in ("mkdir", "touch", "rm"):
            found += [word for word in words[1:] if not word.startswith("-")]
    return [path for path in found if not re.match(r"\w+:", path) and not path.isdigit()]


def opened_by_scripts(how_to: HowTo) -> Iterator[str]:
    """The literal paths that a page's Python opens."""
    trees = [ast.parse(text) for path, text in how_to.files if path.endswith(".py")]
    for tree in trees:
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and call.args:
                name = getattr(call.func, "attr", getattr(call.func, "id", ""))
                first = call.args[0].values[0] if isinstance(call.args[0], ast.JoinedStr) else call.args[0]
                if name in ("open", "Path", "connect", "read_csv") and isinstance(first, ast.Constant):
                    yield first.value


def strangers(how_to: HowTo) -> list[str]:
    """What a page names below the folders of readers' files that is not its own."""
    names = pipelines(how_to)
    own = {"folder": folders(how_to) | names, "pipeline": names, "stored": names, "module": modules(how_to)}
    texts = chain((text for _, text in how_to.files), (command.line for command in how_to.commands))
    found = []
    for match in chain.from_iterable(map(MENTIONED.finditer, texts)):
        found += [match[0] for kind, allowed in own.items() if match[kind] and match[kind] not in allowed]
    return found


@EACH
def test_a_how_to_writes_below_data_pipelines_and_extensions_alone(how_to):
    foreign = [path for path, _ in how_to.files if not OWN_FILE.fullmatch(path)]
    reachable = (*(f"data/{each}/" for each in folders(how_to)), *(f"pipelines/{each}." for each in pipelines(how_to)))
    in_commands = [path for path in written_by_commands(how_to) if not path.startswith(reachable)]
    in_scripts = [path for path in opened_by_scripts(how_to) if not path.startswith((*reachable, ".assay/store"))]
    assert (foreign, in_commands, in_scripts) == ([], [], [])


@EACH
def test_a_how_to_names_no_file_of_another(how_to):
    assert strangers(how_to) == []


@EACH
def test_a_how_to_changes_no_deployment_for_all_pipelines(how_to):
    """Bounds of storage hold for every pipeline of a store, so that a page that sets them has a store of its own."""
    text = "\n".join([*(text for _, text in how_to.files), *(command.line for command in how_to.commands)])
    assert ("ASSAY_RETENTION" not in text) or f"ASSAY_HOME=$PWD/data/{min(folders(how_to))}/" in text
    assert not re.search(r"git (init|config)|\.gitignore|(?<![\w/])\.env\b", text)


@EACH
def test_a_how_to_leaves_no_file_that_is_refused(how_to):
    """Commands that read all files stop at one that is refused."""
    named = "assay check pipelines/"
    checks = {each.line: each.exit_code for each in how_to.commands if each.line.startswith(named)}
    assert [line for line, exit_code in checks.items() if exit_code] == []


@pytest.mark.parametrize("names", [folders, pipelines, modules])
def test_no_two_how_tos_share_a_name(names):
    counted = Counter(name for how_to in ALL for name in names(how_to))
    assert [name for name, times in counted.items() if times > 1] == []


PAGE = """
```python title="{script}"
open("{opened}", "w")
```
```yaml title="pipelines/cars.yaml"
name: cars
dataset: {{source: {source}}}
```
```console
$ python data/cars/make.py {command}
```
"""


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({}, []),
        ({"script": "make.py"}, ["make.py"]),
        ({"opened": "cars.csv"}, ["cars.csv"]),
        ({"command": "> cars.log"}, ["cars.log"]),
        ({"command": "'a > b' && assay validate --report-uri report.json"}, ["report.json"]),
        ({"source": "data/boats/boats.csv"}, ["data/boats"]),
        ({"command": "&& sed -i s/a/b/ pipelines/boats.yaml"}, ["pipelines/boats."]),
    ],
)
def test_a_file_outside_is_found(changed, found):
    whole = {"script": "data/cars/make.py", "opened": "data/cars/cars.csv", "source": "data/cars/cars.csv"}
    page = how_to_of("cars.md", PAGE.format(**{"command": "", **whole, **changed}))
    allowed = ("data/cars/", "pipelines/cars.")
    outside = [path for path, _ in page.files if not OWN_FILE.fullmatch(path)]
    outside += [each for each in [*written_by_commands(page), *opened_by_scripts(page)] if not each.startswith(allowed)]
    assert outside + [each for each in strangers(page) if "script" not in changed] == found
