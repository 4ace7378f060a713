"""Where a deployment's files are unless settings say so."""

from pathlib import Path

from resources.project_root import project_root


def test_a_checkout_is_its_own_project_and_an_installed_platform_works_on_the_working_directory(tmp_path, monkeypatch):
    installed, project = tmp_path / "site-packages", tmp_path / "shop"
    installed.mkdir()
    project.mkdir()
    monkeypatch.chdir(project)
    assert project_root(installed) == project
    (installed / "pyproject.toml").touch()
    assert project_root(installed) == installed
    assert project_root() == Path(__file__).parents[2]
