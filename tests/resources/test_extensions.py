"""The users' own modules can be imported wherever steps run."""

import importlib
import sys

import pytest

from assay.importing import ExtensionFinder, make_importable


@pytest.fixture
def folder(tmp_path):
    # the list itself stays: importlib.metadata and others keep references to it
    before = list(sys.meta_path)
    sys.meta_path[:] = [finder for finder in before if not isinstance(finder, ExtensionFinder)]
    (tmp_path / "own_models_under_test.py").write_text("ANSWER = 42\n")
    (tmp_path / "json.py").write_text("raise RuntimeError('shadowed')\n")
    yield tmp_path
    sys.meta_path[:] = before
    sys.modules.pop("own_models_under_test", None)


def test_a_module_of_the_folder_is_found_though_the_path_is_put_back(folder):
    before = list(sys.path)
    make_importable(folder)
    assert sys.path == before
    assert importlib.import_module("own_models_under_test").ANSWER == 42


def test_nothing_installed_is_shadowed(folder, monkeypatch):
    make_importable(folder)
    monkeypatch.delitem(sys.modules, "json")
    assert importlib.import_module("json").loads("1") == 1


def test_a_folder_is_added_once(folder):
    make_importable(folder)
    make_importable(folder)
    assert sum(isinstance(finder, ExtensionFinder) for finder in sys.meta_path) == 1


def test_an_unknown_module_is_still_unknown(folder):
    make_importable(folder)
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("own_models_under_test_two")
