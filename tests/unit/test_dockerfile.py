"""What can be told of the image without building it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Dockerfile").read_text()
COPIED = [
    source
    for line in TEXT.splitlines()
    if line.startswith("COPY") and "--from=" not in line
    for source in line.split()[1:-1]
    if not source.startswith("--")
]


@pytest.mark.parametrize("source", sorted(set(COPIED)))
def test_what_is_copied_exists_and_is_not_ignored(source):
    assert (ROOT / source).exists()
    assert source not in (ROOT / ".dockerignore").read_text().splitlines()


def test_everything_that_runs_is_copied():
    needed = {
        "assay",
        "resources",
        "ml_assets",
        "pipelines",
        "definitions.py",
        "workspace.yaml",
        "dagster.yaml",
        "uv.lock",
    }
    assert needed <= set(COPIED)


def test_the_install_is_locked_and_the_user_is_not_root():
    assert len(re.findall(r"uv sync --locked --no-dev", TEXT)) == 2
    assert re.search(r"^USER (?!root)", TEXT, re.MULTILINE)
    assert "HEALTHCHECK" in TEXT
    assert "ARG GIT_SHA" in TEXT
    assert '-w workspace.yaml"]' in TEXT


def test_the_tool_versions_agree():
    [makefile] = re.findall(r"UV_VERSION := (\S+)", (ROOT / "Makefile").read_text())
    assert f"uv=={makefile}" in TEXT
