"""`assay init`: a new project in a folder of its own, which runs as it is."""

import shlex
from pathlib import Path

from assay.errors import SpecError
from assay.scaffolding.project import (
    PLATFORM_ADDRESSES,
    own_checkout,
    project_files,
    project_name,
    uv_sources,
    write_project,
)
from assay.shell.flags import Flags
from assay.shell.summary import Fact, Summary
from assay.shell.terminal import show

_RUN, _SEE = "uv run dg launch --assets 'key:\"rents/*\"'", "uv run dg dev"


def run(flags: Flags, _storage: object) -> tuple[bool, str]:
    """Write a new project, and show the commands that run it.

    Raises:
        SpecError: the name cannot be used, or it is not known where the platform is.
        StorageError: the folder is not empty, or cannot be written.
    """
    folder = Path(flags.folder)
    name = project_name(flags.name or folder.resolve().name)
    platform = flags.platform or own_checkout()
    if platform is None:
        raise SpecError(
            "it is not known where the platform is",
            where="--platform",
            expected=PLATFORM_ADDRESSES,
            remedy="name it by --platform",
        )
    write_project(folder, project_files(name, uv_sources(platform, folder)))
    facts = (
        Fact("platform", platform),
        Fact("run it", _entered(folder) + _RUN),
        Fact("see it", _SEE),
    )
    show([Summary(name, facts)])
    return True, str(folder)


def _entered(folder: Path) -> str:
    return "" if folder.resolve() == Path.cwd() else f"cd {shlex.quote(str(folder))} && "
