"""The source tree of the site: pages and files of the repository, and their order.

A builder of sites then reads a plain folder of Markdown, so that another builder can take its place. Links between
files of the repository become links between pages.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

HOME = "docs/README.md"
"""The page that lists all others; its sections are the site's."""
DECISIONS = "docs/adr/README.md"
_PAGES = {
    "README.md": "index.md",
    HOME: "contents.md",
    DECISIONS: "adr/index.md",
    "benchmarks/README.md": "benchmarks.md",
    "assay/shell/explanations.md": "reference/errors.md",
}
_ABOUT = "README.md", "ARCHITECTURE.md", "CHANGELOG.md", "SECURITY.md", "benchmarks/README.md"
_LINK = re.compile(r"(\]\()([^)#\s:]+)((?:#[^)\s]*)?\))")


def page_of(path: str) -> str:
    """Return the site's path of a file of the repository."""
    if path in _PAGES:
        return _PAGES[path]
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return path.lower() if path.endswith(".md") else f"files/{path}"


def write_tree(root: Path, target: Path) -> None:
    """Write the pages of a repository's folder, and the site's configuration, into a folder that is replaced."""
    shutil.rmtree(target, ignore_errors=True)
    pages = target / "pages"
    waiting, seen = [*_sources(root)], set[str]()
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting += _write(root, path, pages / page_of(path))
    shutil.copy(Path(__file__).with_name("tables.css"), pages)
    site = {
        "INHERIT": str(Path(__file__).with_name("mkdocs.yml").resolve()),
        "docs_dir": "pages",
        "site_dir": "html",
        "nav": [{"Start": "index.md"}, {"Contents": "contents.md"}, *sections(root, HOME)],
    }
    (target / "mkdocs.yml").write_text(yaml.safe_dump(site, sort_keys=False), encoding="utf-8")


def sections(root: Path, path: str) -> list[Any]:
    """Return the sections of a page of links, as the site's navigation; the page of decisions is a section of it."""
    found: list[Any] = []
    entries = found
    for line in (root / path).read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            entries = []
            found.append({line.removeprefix("## "): entries})
        elif listed := re.fullmatch(r"- \[([^]]+)\]\(([^)]+)\)", line):
            title, link = listed.groups()
            linked = _resolved(path, link)
            below = sections(root, linked) if linked == DECISIONS else []
            entries.append({title: [page_of(linked), *below] if below else page_of(linked)})
    return found


def with_links_of_the_site(text: str, path: str, root: Path) -> tuple[str, list[str]]:
    """Return a page with its links as the site has them, and the files that they name.

    Args:
        text: Markdown; blocks of code keep their text.
        path: the page's file in the repository.
        root: folder of the repository.
    """
    named: list[str] = []

    def of_site(match: re.Match[str]) -> str:
        linked = _resolved(path, match[2])
        if not (root / linked).is_file():
            return match[0]
        named.append(linked)
        relative = os.path.relpath(page_of(linked), PurePosixPath(page_of(path)).parent)
        return f"{match[1]}{relative}{match[3]}"

    return "".join(part if code else _LINK.sub(of_site, part) for part, code in _parts(text)), named


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the lines, and whether each belongs to a block of code."""
    inside = False
    for line in text.splitlines(keepends=True):
        fence = line.lstrip().startswith("```")
        yield line, inside or fence
        inside ^= fence


def _sources(root: Path) -> Iterator[str]:
    yield from _ABOUT
    for path in sorted((root / "docs").rglob("*")):
        if path.is_file() and "site" not in path.relative_to(root / "docs").parts:
            yield path.relative_to(root).as_posix()


def _write(root: Path, path: str, target: Path) -> list[str]:
    """Write one file of the repository into the tree; return the files that it links to."""
    if not path.endswith(".md"):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / path, target)
        return []
    text, named = with_links_of_the_site((root / path).read_text(encoding="utf-8"), path, root)
    _put(target, text)
    return named


def _put(target: Path, text: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")


def _resolved(path: str, link: str) -> str:
    return os.path.normpath(PurePosixPath(path).parent / link)
