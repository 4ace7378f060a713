"""The files of a new project: the templates with its name and the address of the platform, written all or none."""

import json
import os
import re
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

from assay import __version__
from assay.errors import SpecError, StorageError
from assay.scratch import scratch_beside
from assay.specs.json_schema import pipeline_json_schema, schema_text

_TEMPLATES = Path(__file__).with_name("templates")
_RENDERED = ".jinja"
_SCHEMA = Path("docs/pipeline.schema.json")
PLATFORM_FOLDER = Path("deploy/platform")
"""Where a checkout has the distribution of the platform."""
PLATFORM_ADDRESSES = (
    "the folder of a checkout of Assay, or the https:// address of a package index that has assay and assay-platform"
)
_TAKEN = {"assay", "assay-platform", "dagster", "pytest"}
"""Names of what a project depends on; uv refuses a project of such a name."""


def project_name(text: str) -> str:
    """Return a name for the project's distribution and code location, made of a folder's name.

    Raises:
        SpecError: nothing is left of it, or it is the name of a dependency.
    """
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if not name or name in _TAKEN:
        raise SpecError(
            "this is no name for a project",
            where="--name",
            found=text,
            expected="a name with letters or digits, other than " + ", ".join(sorted(_TAKEN)),
            remedy="name it by --name",
        )
    return name


def own_checkout() -> str | None:
    """Return the folder of the checkout that this package was installed from (PEP 610); None if from an index."""
    try:
        origin = json.loads(distribution("assay").read_text("direct_url.json") or "{}")
    except PackageNotFoundError:
        return None
    address = urlsplit(origin.get("url", ""))
    folder = Path(unquote(address.path))
    is_checkout = address.scheme == "file" and (folder / PLATFORM_FOLDER / "pyproject.toml").is_file()
    return str(folder) if is_checkout else None


def uv_sources(platform: str, folder: Path) -> str:
    """Return the tables of pyproject.toml by which uv finds `assay` and `assay-platform`.

    Args:
        platform: a checkout's folder, or the address of a package index.
        folder: of the new project.

    Raises:
        SpecError: it is neither.
    """
    if platform.startswith(("https://", "http://")):
        index = f'[[tool.uv.index]]\nname = "assay"\nurl = {json.dumps(platform)}\nexplicit = true\n'
        from_index = 'index = "assay"'
        return f"{index}\n{_sources(from_index, from_index)}"
    checkout = Path(platform).expanduser().resolve()
    if not (checkout / PLATFORM_FOLDER / "pyproject.toml").is_file():
        raise SpecError(
            "the platform is not there",
            where="--platform",
            found=platform,
            expected=PLATFORM_ADDRESSES,
        )
    path = os.path.relpath(checkout, folder.resolve())
    return _sources(f"path = {json.dumps(path)}", f"path = {json.dumps(f'{path}/{PLATFORM_FOLDER}')}")


def _sources(assay: str, platform: str) -> str:
    return f"[tool.uv.sources]\nassay = {{{assay}}}\nassay-platform = {{{platform}}}\n"


def project_files(name: str, sources: str) -> dict[Path, bytes]:
    """Return the contents of a new project's files by their relative paths."""
    values = {"name": name, "version": __version__, "sources": sources}
    found = (path for path in sorted(_TEMPLATES.rglob("*")) if path.is_file())
    files = dict(_file(path, values) for path in found)
    return files | {_SCHEMA: schema_text(pipeline_json_schema()).encode()}


def _file(path: Path, values: Mapping[str, str]) -> tuple[Path, bytes]:
    from jinja2 import Environment, StrictUndefined

    relative = path.relative_to(_TEMPLATES)
    if path.suffix != _RENDERED:
        return relative, path.read_bytes()
    # GitHub's workflows and TOML have the usual marks themselves
    marks = Environment(
        variable_start_string="<<",
        variable_end_string=">>",
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - no page
    )
    text = marks.from_string(path.read_text(encoding="utf-8")).render(values)
    return relative.with_suffix(""), text.encode()


def write_project(folder: Path, files: Mapping[Path, bytes]) -> None:
    """Write the files of a project into a folder that is empty or not there; all or none.

    Raises:
        StorageError: the folder holds something, or cannot be written.
    """
    _require_empty(folder)
    is_new = not folder.exists()
    try:
        folder.absolute().parent.stat()  # a missing one is a mistake in the path
        with scratch_beside(folder if is_new else folder / "project") as stage:
            for path, content in files.items():
                (stage / path).parent.mkdir(parents=True, exist_ok=True)
                (stage / path).write_bytes(content)
            if is_new:
                stage.rename(folder)
                return
            for each in sorted(stage.iterdir()):
                each.rename(folder / each.name)
    except OSError as error:
        raise StorageError(
            "the project cannot be written", where=str(folder), found=str(error), remedy="check the folder"
        ) from error


def _require_empty(folder: Path) -> None:
    found = sorted(each.name for each in folder.iterdir()) if folder.is_dir() else ["a file"]
    if not found or not os.path.lexists(folder):
        return
    raise StorageError(
        "a new project needs an empty folder",
        where=str(folder),
        found=", ".join(found[:5]),
        remedy="name another folder; in a project that is there, `assay add pipeline` adds a pipeline",
    )
