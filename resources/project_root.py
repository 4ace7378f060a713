"""The folder of the project: where pipelines, local stores and the lock file are unless settings say otherwise."""

from pathlib import Path

_CODE = Path(__file__).resolve().parent.parent


def project_root(code: Path = _CODE) -> Path:
    """Return the checkout that the platform's code is part of; of an installed platform, the working directory."""
    return code if (code / "pyproject.toml").is_file() else Path.cwd()
