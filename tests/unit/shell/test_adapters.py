import importlib.metadata

import pytest

from assay.errors import StorageError
from assay.shell.storage import adapter

WORDS = {"error": StorageError, "what": "s3:// cannot be used here", "where": "s3://b/k"}


def offered(monkeypatch, *points):
    def entry_points(*, group, name):
        return [point for point in points if (point.group, point.name) == (group, name)]

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)


def test_an_adapter_is_found_by_its_entry_point(monkeypatch):
    offered(monkeypatch, importlib.metadata.EntryPoint("s3", "json:dumps", "assay.storage"))
    assert adapter("assay.storage", "s3", **WORDS)({}) == "{}"


@pytest.mark.parametrize(
    "points", [[], [importlib.metadata.EntryPoint("s3", "no_such_platform.storage:make", "assay.storage")]]
)
def test_without_the_platform_the_error_says_what_to_install(monkeypatch, points):
    offered(monkeypatch, *points)
    with pytest.raises(StorageError) as refused:
        adapter("assay.storage", "s3", **WORDS)
    assert "install the platform" in refused.value.remedy
    assert "uv sync" in refused.value.remedy
