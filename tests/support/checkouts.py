"""A checkout of its own for a test, with a shell in it, as a user has."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from dockerfile import stages_of

ROOT = Path(__file__).parents[2]
# what the image holds is enough to run; the instance on PostgreSQL is described beside it
SHIPPED = sorted({name.partition("/")[0] for name in stages_of(ROOT / "Dockerfile")[-1].copied} - {"pipelines"})
BIN = Path(sys.executable).parent


def clean_environment() -> dict[str, str]:
    """Return this process' environment without the settings of a developer."""
    foreign = ("ASSAY_", "DAGSTER_", "MLFLOW_", "AWS_", "PYTHON")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


@dataclass(frozen=True)
class Checkout:
    """A folder that holds the platform and no pipelines.

    Attributes:
        root: the folder.
        scripts: the folder in which commands are searched first.
    """

    root: Path
    scripts: Path

    def environment(self, **more: str) -> dict[str, str]:
        return {
            **clean_environment(),
            "PATH": f"{self.scripts}:{BIN}:{os.environ['PATH']}",
            # Dagster imports its storage before it adds the folder to the path; an installed checkout is on it
            "PYTHONPATH": str(self.root),
            "PYTHONDONTWRITEBYTECODE": "1",
            # a busy machine is no failure
            "DAGSTER_GRPC_TIMEOUT_SECONDS": "900",
            "DAGSTER_SENSOR_GRPC_TIMEOUT_SECONDS": "900",
            **more,
        }

    def run(self, command: str, *, timeout: float = 1500, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a shell command; standard output and error together in `stdout`."""
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.root,
            env=self.environment(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path


def checkout_in(root: Path) -> Checkout:
    """Copy the platform, without pipelines, into a folder that does not exist; its commands start as a user's do."""
    root.mkdir()
    for name in SHIPPED:
        if (ROOT / name).is_dir():
            # with the bytecode, so that no command compiles, but for files that another process is writing
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("*.pyc.*"))
        else:
            shutil.copy(ROOT / name, root / name)
    (root / "pipelines").mkdir()
    return Checkout(root, BIN)
