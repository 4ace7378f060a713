"""`assay changed`: the pipelines that differ from another commit's, for CI to run on a branch."""

import sys
from collections.abc import Iterator
from pathlib import Path

from assay.errors import SpecError
from assay.importing import is_import_path
from assay.scratch import scratch_folder
from assay.shell.flags import Flags
from assay.specs import PipelineSpec, read_pipelines
from ml_assets.commands.deployment import Deployment
from ml_assets.pipeline.code_version import texts_of
from resources.checkout import write_files_of
from resources.settings import Settings


def changed(flags: Flags) -> tuple[bool, str]:
    """Return the names of pipelines that are new or differ from the commit's, one on each line.

    A pipeline differs if a setting of it does, with what it takes from shared defaults and environments, or the source
    of a module that it names; a comment is no change. Removed pipelines are named on standard error.

    Raises:
        SourceError: the commit cannot be read.
        SpecError: a pipeline file cannot be used, or lies outside the working directory.
    """
    deployment, root = Deployment(), Path.cwd()
    files = deployment.pipelines()
    for broken in files.broken:
        raise broken.error
    with scratch_folder("commit") as folder:
        earlier = Path(folder)
        write_files_of(flags.since, earlier, root)
        before = _pipelines_of(earlier, deployment.settings)
        now = {spec.name: spec for spec in files.specs}
        own = deployment.settings.extensions_dir
        names = [name for name, spec in now.items() if before.get(name) != spec or _has_new_code(spec, own, earlier)]
    for name in sorted(before.keys() - now.keys()):
        sys.stderr.write(f"{name} was removed\n")
    if not names:
        sys.stderr.write(f"no pipeline differs from {flags.since}\n")
    return True, "\n".join(sorted(names))


def _pipelines_of(folder: Path, settings: Settings) -> dict[str, PipelineSpec]:
    """Return the usable pipelines of the commit by their names."""
    pipelines = folder / _relative(settings.pipelines_dir)
    if not pipelines.is_dir():
        return {}
    found = read_pipelines(pipelines, environment=settings.environment).in_space(settings.space)
    return {spec.name: spec for spec in found.specs}


def _has_new_code(spec: PipelineSpec, own: Path, earlier: Path) -> bool:
    """Whether a module that the pipeline names differs from the commit's."""
    then = earlier / _relative(own)
    return any(_source(own, module) != _source(then, module) for module in _modules(spec))


def _modules(spec: PipelineSpec) -> Iterator[str]:
    for text in texts_of(spec.model_dump(mode="json")):
        if is_import_path(text):
            yield text.partition(":")[0]


def _source(folder: Path, module: str) -> bytes | None:
    """Return the source of a module of the user's own; None of a library's."""
    path = folder.joinpath(*module.split("."))
    found = next((each for each in (path.with_suffix(".py"), path / "__init__.py") if each.is_file()), None)
    return None if found is None else found.read_bytes()


def _relative(folder: Path) -> Path:
    try:
        return folder.resolve().relative_to(Path.cwd().resolve())
    except ValueError:
        raise SpecError(
            "this folder is not part of the working directory, so no commit has it",
            where="assay changed",
            found=str(folder),
            expected=f"a folder below {Path.cwd()}",
        ) from None
