"""`assay init`: a project that is written whole or not at all, and whose parts fit each other and this version."""

import ast
import json
import tomllib
from pathlib import Path

import pytest
import yaml

from assay.scaffolding import project
from assay.scaffolding.project import own_checkout, project_files, project_name, uv_sources
from assay.shell import main
from assay.shell.flags import Flags
from assay.shell.storage import AnyStorage
from assay.shell.validate import gated
from assay.specs.loading import read_pipelines

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Return a new project, and what the command said."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("projects"))
        assert main.main(["init", "My Shop"]) == 0
        yield Path("My Shop").resolve()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(project, "pipeline_json_schema", dict)  # takes long
    return tmp_path


def test_the_example_passes_the_gate_as_it_is(shop, monkeypatch):
    monkeypatch.chdir(shop)
    files = read_pipelines(shop / "pipelines")
    assert not files.broken
    [filed] = files.pipelines
    flags = Flags(command="validate", spelled={}, targets=[], pipeline=str(filed.path), partition=())
    report = gated(flags, AnyStorage()).last.report
    assert report.passed
    assert not report.warned_rules


def test_the_project_is_named_after_its_folder(shop):
    written = tomllib.loads((shop / "pyproject.toml").read_text())
    [location] = yaml.safe_load((shop / "workspace.yaml").read_text())["load_from"]
    assert written["project"]["name"] == "my-shop"
    assert written["tool"]["dg"]["project"]["code_location_name"] == "my-shop"
    assert location["python_file"]["location_name"] == "my-shop"
    assert (shop / "README.md").read_text().startswith("# my-shop\n")


def test_the_project_depends_on_what_this_version_needs(shop):
    written = tomllib.loads((shop / "pyproject.toml").read_text())
    own = tomllib.loads((ROOT / "pyproject.toml").read_text())
    [dagster] = [each for each in own["dependency-groups"]["platform"] if each.startswith("dagster>")]
    version = own["project"]["version"]
    assert written["project"]["dependencies"] == [
        f"assay[lightgbm]~={version}",
        f"assay-platform~={version}",
        dagster,
    ]
    assert written["project"]["requires-python"] == own["project"]["requires-python"]
    assert (shop / ".python-version").read_text() == "3.11\n"
    assert (shop / "dagster.yaml").read_text() == (ROOT / "dagster.yaml").read_text()
    assert (shop / "docs/pipeline.schema.json").read_text() == (ROOT / "docs/pipeline.schema.json").read_text()


def test_its_modules_import_what_there_is(shop):
    for path in (shop / "definitions.py", *(shop / "tests").iterdir()):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ImportFrom) and node.module != "definitions":
                module = ROOT.joinpath(*str(node.module).split(".")).with_suffix(".py")
                defined = {
                    each.name for each in ast.parse(module.read_text()).body if isinstance(each, ast.FunctionDef)
                }
                assert {each.name for each in node.names} <= defined


def test_ci_and_readme_name_what_the_project_has(shop):
    steps = yaml.safe_load((shop / ".github/workflows/check.yaml").read_text())["jobs"]["check"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == [
        "uv sync --locked",
        "uv run assay check",
        "uv run dg check defs",
        "uv run pytest",
    ]
    assert 'key:"rents/*"\'' in (shop / "README.md").read_text()
    assert ".assay/" in (shop / ".gitignore").read_text().splitlines()


def test_the_next_commands_are_printed(folder, capsys):
    assert main.main(["init", "a shop", "--platform", str(ROOT)]) == 0
    printed = capsys.readouterr()
    assert printed.out == "a shop\n"
    assert "cd 'a shop' && uv run dg launch --assets 'key:\"rents/*\"'" in printed.err
    assert "uv run dg dev" in printed.err


def test_an_empty_folder_is_filled(folder, capsys):
    assert main.main(["init", ".", "--name", "shop", "--platform", str(ROOT)]) == 0
    assert "cd " not in capsys.readouterr().err
    assert {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()} == project_files(
        "shop", ""
    ).keys()


@pytest.mark.parametrize("there", ["note.txt", ".git"])
def test_a_folder_that_holds_something_stays_as_it_is(there, folder, capsys):
    (folder / "shop").mkdir()
    (folder / "shop" / there).write_text("mine")
    assert main.main(["init", "shop", "--platform", str(ROOT)]) == 2
    said = capsys.readouterr().err
    assert "a new project needs an empty folder" in said
    assert f"found: {there}" in said
    assert [path.name for path in folder.rglob("*")] == ["shop", there]


@pytest.mark.parametrize("exists", [False, True])
def test_a_failure_leaves_nothing(exists, folder, monkeypatch, capsys):
    def full(path, content):
        if path.name == "rents.yaml":
            raise OSError(28, "No space left on device")
        return path.write_text(content.decode())

    monkeypatch.setattr(Path, "write_bytes", full)
    if exists:
        (folder / "shop").mkdir()
    assert main.main(["init", "shop", "--platform", str(ROOT)]) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert [path.name for path in folder.rglob("*")] == (["shop"] if exists else [])


@pytest.mark.parametrize(
    ("platform", "sources"),
    [
        (
            "../assay",
            {"assay": {"path": "../../assay"}, "assay-platform": {"path": "../../assay/deploy/platform"}},
        ),
        ("https://pypi.example.org/simple/", {"assay": {"index": "assay"}, "assay-platform": {"index": "assay"}}),
    ],
)
def test_uv_finds_the_platform_where_it_is_said_to_be(platform, sources, tmp_path, monkeypatch):
    (tmp_path / "assay/deploy/platform").mkdir(parents=True)
    (tmp_path / "assay/deploy/platform/pyproject.toml").touch()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    uv = tomllib.loads(uv_sources(platform, Path("shop")))["tool"]["uv"]
    assert uv["sources"] == sources
    # an index of one's own is asked for these two alone
    assert [each["explicit"] for each in uv.get("index", [])] == ([True] if platform.startswith("https") else [])


def test_the_checkout_is_found_from_which_the_command_was_installed(monkeypatch):
    assert Path(own_checkout()) == ROOT

    class Wheel:
        text = json.dumps({"url": "https://pypi.example.org/assay-0.1.0-py3-none-any.whl"})

        def read_text(self, _):
            return self.text

    monkeypatch.setattr(project, "distribution", lambda _: Wheel())
    assert own_checkout() is None
    monkeypatch.setattr(Wheel, "text", None)
    assert own_checkout() is None


def test_without_a_checkout_the_platform_has_to_be_named(folder, monkeypatch, capsys):
    monkeypatch.setattr("assay.shell.init.own_checkout", lambda: None)
    assert main.main(["init", "shop"]) == 2
    assert "name it by --platform" in capsys.readouterr().err
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["shop", "--platform", "nowhere"], "the platform is not there"),
        (["_", "--platform", str(ROOT)], "--name"),
        (["shop", "--name", "Assay", "--platform", str(ROOT)], "no name for a project"),
        (["missing/shop", "--platform", str(ROOT)], "missing"),
        ([], "FOLDER"),
    ],
)
def test_what_cannot_be_used_is_named(arguments, said, folder, capsys):
    assert main.main(["init", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not list(folder.iterdir())


def test_a_name_keeps_letters_and_digits():
    assert project_name("Rents of 2024!") == "rents-of-2024"
