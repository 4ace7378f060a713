"""Releases: the wheels go to a package index once, and a published version stops everything that follows."""

import subprocess
import sys
import zipfile

import pytest
from checkouts import ROOT
from servers import free_port, stopped, wait_for


@pytest.fixture
def index(tmp_path):
    """The address of an empty package index that takes uploads."""
    packages, port, log = tmp_path / "packages", free_port(), tmp_path / "index.log"
    packages.mkdir()
    command = [sys.executable, "-m", "pypiserver", "run", "-i", "127.0.0.1", "-p", str(port), "-P", ".", "-a", "."]
    with log.open("w") as out:
        process = subprocess.Popen([*command, str(packages)], stdout=out, stderr=out, start_new_session=True)
    with stopped(process):
        wait_for(f"http://127.0.0.1:{port}/simple/", process, log)
        yield f"http://127.0.0.1:{port}/simple/", packages


@pytest.mark.cold
def test_a_version_is_published_once(index, checkout):
    address, packages = index
    for name in ("README.md", "LICENSE", "CHANGELOG.md"):
        checkout.write(name, (ROOT / name).read_text())
    checkout.run("git init -q && git -c user.name=T -c user.email=t@example.org commit -qm state --allow-empty")
    release = f"PATH=$PATH:{ROOT}/.tools/bin deploy/ci/release"
    settings = {"PACKAGE_INDEX": address, "UV_PUBLISH_USERNAME": "any", "UV_PUBLISH_PASSWORD": "any", "PIPELINES": ""}

    first = checkout.run(release, **settings)
    assert first.returncode == 0, first.stdout
    published = {each.name: each for each in packages.iterdir()}
    assert published.keys() == {"assay-0.1.0-py3-none-any.whl", "assay_platform-0.1.0-py3-none-any.whl"}
    with zipfile.ZipFile(published["assay_platform-0.1.0-py3-none-any.whl"]) as wheel:
        tops = {name.partition("/")[0] for name in wheel.namelist()}
        [metadata] = [wheel.read(name).decode() for name in wheel.namelist() if name.endswith("/METADATA")]
    assert tops == {"ml_assets", "resources", "serving", "assay_platform-0.1.0.dist-info"}
    assert "Requires-Dist: assay==0.1.0\n" in metadata
    assert "Requires-Dist: dagster<1.14" in metadata

    before = {each: each.read_bytes() for each in packages.iterdir()}
    second = checkout.run(release, **settings)
    assert second.returncode == 1
    assert "version 0.1.0 of assay is published already" in second.stdout
    assert {each: each.read_bytes() for each in packages.iterdir()} == before

    text = (checkout.root / "pyproject.toml").read_text()
    checkout.write("pyproject.toml", text.replace('version = "0.1.0"', 'version = "0.2.0rc1"', 1))
    assert checkout.run(f"python deploy/ci/version.py --unreleased-in {address}").stdout == "0.2.0rc1\n"


def test_an_index_that_does_not_answer_is_no_permission(checkout):
    done = checkout.run(f"python deploy/ci/version.py --unreleased-in http://127.0.0.1:{free_port()}/simple/")
    assert done.returncode != 0


def test_production_is_no_branch(checkout):
    done = checkout.run("deploy/ci/experiment", ASSAY_BRANCH="main")
    assert done.returncode == 2
    assert "set ASSAY_BRANCH" in done.stdout
