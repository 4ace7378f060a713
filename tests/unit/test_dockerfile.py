"""What the image does, without Docker: its commands run against programs that record how they are called."""

import itertools
import re
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
from dockerfile import stages_of

ROOT = Path(__file__).parents[2]
BUILD, FINAL = stages_of(ROOT / "Dockerfile")
# what the image's commands call; none of them may really run here
PROGRAMS = ("apt-get", "chown", "cp", "dagster-webserver", "find", "groupadd", "mkdir", "pip", "rm", "useradd", "uv")


@pytest.fixture
def calls(tmp_path):
    """Return a function that runs a shell command and gives the calls of programs that it makes."""
    folder, log = tmp_path / "bin", tmp_path / "calls"
    folder.mkdir()
    for program in PROGRAMS:
        script = folder / program
        script.write_text(f'#!/bin/sh\necho "{program} $*" >> "{log}"\n')
        script.chmod(0o755)

    def run(command, **environment):
        log.write_text("")
        words = command if isinstance(command, list) else ["/bin/sh", "-c", command]
        shell = ["/bin/sh", *words[1:]] if words[0] == "sh" else words
        subprocess.run(shell, env={**environment, "PATH": str(folder)}, check=True, cwd=tmp_path)
        return [line.split() for line in log.read_text().splitlines()]

    return run


@pytest.fixture
def built(calls):
    """Every call of a program while the image is built."""
    return [
        call for stage in (BUILD, FINAL) for each in stage.all("RUN") for call in calls(each.rest, **stage.arguments)
    ]


@pytest.mark.parametrize("source", sorted({*BUILD.copied, *FINAL.copied}))
def test_what_is_copied_exists_and_is_not_ignored(source):
    assert (ROOT / source).exists()
    assert not [line for line in (ROOT / ".dockerignore").read_text().splitlines() if fnmatch(source, line)]


def test_the_install_is_locked_and_leaves_out_the_tools_of_developers(built):
    installs = [call for call in built if call[0] == "uv"]
    assert len(installs) == 2
    assert all({"sync", "--locked", "--no-dev", "platform"} <= set(call) for call in installs)
    assert "--no-editable" in installs[-1], "the environment is copied without the sources that it was made from"


def test_the_extras_are_an_argument_and_the_small_families_and_samplers_by_default(built, calls):
    def extras(call):
        return [name for flag, name in itertools.pairwise(call) if flag == "--extra"]

    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {"lightgbm", "xgboost", "cma-es", "catboost"} <= known.keys()
    assert [set(extras(call)) for call in built if call[0] == "uv"] == [{"lightgbm", "xgboost", "cma-es"}] * 2
    [first, _] = [each.rest for each in BUILD.all("RUN") if each.rest.startswith("uv")]
    assert [extras(call) for call in calls(first, EXTRAS="catboost lightgbm")] == [["catboost", "lightgbm"]]


def test_the_tools_have_the_versions_of_the_makefile(built):
    made = dict(re.findall(r"^(\w+) [:?]= (\S+)", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert [call[-1] for call in built if call[0] == "pip"] == [f"uv=={made['UV_VERSION']}"]
    images = {stage.last("FROM").rest.partition("-")[0] for stage in (BUILD, FINAL)}
    assert images == {made["PYTHON"].replace("python", "python:")}


def test_the_user_exists_is_not_root_and_owns_what_the_platform_writes(built):
    [made] = [call for call in built if call[0] == "useradd"]
    user, options = made[-1], dict(itertools.pairwise(made))
    assert FINAL.last("USER").rest == f"{options['--uid']}:{options['--gid']}", "by number, which Kubernetes asks for"
    assert int(options["--uid"]) > 0
    [owned] = [call[3:] for call in built if call[:3] == ["chown", "-R", f"{user}:{user}"]]
    environment = FINAL.environment()
    for written in (environment["DAGSTER_HOME"], FINAL.last("VOLUME").rest):
        assert any(written == folder or written.startswith(f"{folder}/") for folder in owned)
    assert all(each.flags["chown"] == f"{user}:{user}" for each in FINAL.all("COPY"))


def test_the_revision_is_an_argument_of_the_build():
    assert FINAL.environment()["ASSAY_GIT_SHA"] == "unknown"
    assert FINAL.environment(GIT_SHA="abc123")["ASSAY_GIT_SHA"] == "abc123"


@pytest.mark.parametrize("host", [None, "0.0.0.0"])
def test_the_webserver_binds_loopback_unless_a_setting_says_otherwise(calls, host):
    environment = FINAL.environment() | ({"ASSAY_UI_HOST": host} if host else {})
    [(program, *options)] = calls(FINAL.last("CMD").words, **environment)
    given = dict(zip(options[::2], options[1::2], strict=True))
    assert program == "dagster-webserver"
    assert given == {"-h": host or "127.0.0.1", "-p": FINAL.last("EXPOSE").rest, "-w": "workspace.yaml"}
    assert given["-w"] in FINAL.copied
