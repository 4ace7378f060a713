"""`assay changed`: which pipelines of a branch differ from another commit's."""

import subprocess

import pytest

from assay.shell import main

HOMES = "name: homes\ntask: regression\ndataset: {source: homes.csv, target: rent}\nmodel: {candidates: [ridge]}\n"
LOANS = HOMES.replace("homes", "loans").replace("candidates: [ridge]", 'candidates: ["own.models:Shallow"]')


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A repository whose `main` has two pipelines, one of a model of the user's own."""
    for name, text in {"homes.yaml": HOMES, "loans.yaml": LOANS}.items():
        (tmp_path / "pipelines").mkdir(exist_ok=True)
        (tmp_path / "pipelines" / name).write_text(text)
    (tmp_path / "own").mkdir()
    (tmp_path / "own/models.py").write_text("DEPTH = 2\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSAY_PIPELINES_DIR", str(tmp_path / "pipelines"))
    monkeypatch.setenv("ASSAY_EXTENSIONS_DIR", str(tmp_path))
    git("init", "-q", "-b", "main")
    commit()
    return tmp_path


def git(*arguments):
    own = ("-c", "user.name=Team", "-c", "user.email=team@example.org")
    subprocess.run(["git", *own, *arguments], check=True, capture_output=True)


def commit():
    git("add", "-A")
    git("commit", "-qm", "state")


def changed(capsys, *flags):
    code = main.main(["changed", "--since", "main", *flags])
    done = capsys.readouterr()
    return code, done.out.split(), done.err


def edit(project, name, old, new):
    path = project / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_setting_is_a_change_and_a_comment_is_none(project, capsys):
    edit(project, "pipelines/homes.yaml", "name: homes", "# rents of homes\nname: homes  # as they are")
    assert changed(capsys) == (0, [], "no pipeline differs from main\n")
    edit(project, "pipelines/homes.yaml", "ridge", "random_forest")
    assert changed(capsys)[:2] == (0, ["homes"])


def test_the_source_of_a_named_module_is_a_change(project, capsys):
    (project / "own/other.py").write_text("X = 1\n")
    assert changed(capsys)[1] == []
    (project / "own/models.py").write_text("DEPTH = 3\n")
    assert changed(capsys)[1] == ["loans"]


def test_shared_defaults_change_every_pipeline_that_takes_them(project, capsys):
    (project / "pipelines/defaults.yaml").write_text("split: {test_size: 0.3}\n")
    edit(project, "pipelines/homes.yaml", "name:", "extends: defaults.yaml\nname:")
    commit()
    edit(project, "pipelines/defaults.yaml", "0.3", "0.25")
    assert changed(capsys)[1] == ["homes"]


def test_new_and_removed_pipelines(project, capsys):
    (project / "pipelines/homes.yaml").rename(project / "pipelines/flats.yaml")
    edit(project, "pipelines/flats.yaml", "name: homes", "name: flats")
    assert changed(capsys) == (0, ["flats"], "homes was removed\n")


def test_a_committed_branch_differs_as_the_working_tree_does(project, capsys):
    git("checkout", "-q", "-b", "model/wide")
    edit(project, "pipelines/homes.yaml", "ridge", "random_forest")
    commit()
    assert changed(capsys)[1] == ["homes"]
    git("checkout", "-q", "main")
    code, names, said = changed(capsys)
    assert (code, names) == (0, [])
    assert said.startswith("no pipeline differs from ")


def test_a_branch_is_compared_outside_its_space(project, monkeypatch, capsys):
    monkeypatch.setenv("ASSAY_BRANCH", "model/wide")
    assert changed(capsys)[1] == []


@pytest.mark.parametrize("commit_name", ["origin/main", "--list", "no-such-branch"])
def test_a_commit_that_is_not_there_is_named(project, commit_name, capsys):
    assert main.main(["changed", f"--since={commit_name}"]) == 2
    assert commit_name in capsys.readouterr().err


def test_a_folder_outside_of_the_project_has_no_earlier_state(project, tmp_path_factory, monkeypatch, capsys):
    other = tmp_path_factory.mktemp("elsewhere")
    (other / "homes.yaml").write_text(HOMES)
    monkeypatch.setenv("ASSAY_PIPELINES_DIR", str(other))
    assert changed(capsys)[0] == 2


def test_a_broken_file_is_an_error_and_no_missing_name(project, capsys):
    edit(project, "pipelines/homes.yaml", "candidates", "candidats")
    code, _, said = changed(capsys)
    assert code == 2
    assert "homes.yaml:4" in said
