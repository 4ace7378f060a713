"""Reports about the folder of pipeline files: one bad file must not stop the others."""

import os
import subprocess
import sys

import dagster as dg
import pytest
from small_platform import BANK, bank_rows, write_csv

from assay.shell.main import main

GOOD = """\
name: churn
task: binary_classification
dataset: {source: churn.csv, target: y}
"""
BAD = {
    "unknown_key.yaml": GOOD.replace("churn", "unknown_key") + "colour: red\n",
    "bad_owner.yaml": GOOD.replace("churn", "bad_owner") + "owners: [the data people]\n",
    "no_yaml.yaml": "{[",
    "empty.yaml": "",
    "deep.yaml": "name: " + "[" * 1000,
    "undetectable.yaml": GOOD.replace("target: y", "target: y, partitions: {by: month, start: 2020-01}")
    + "automation: {retrain_on: [new_data]}\n",
}


@pytest.mark.cold
def test_kept_errors_keep_no_connection_open_until_the_process_ends(tmp_path):
    """`assay check` ended with fifty lines of DuckDB's about leaked objects."""
    for name, more in (("owner", "owners: [the data people]\n"), ("rule", "validation: {expressions: {x: now()}}\n")):
        (tmp_path / f"{name}.yaml").write_text(GOOD.replace("churn", name) + more)
    for paths in ([tmp_path], sorted(tmp_path.iterdir())):
        command = [sys.executable, "-m", "assay.shell", "check", *map(str, paths)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert "2 of 2 pipeline files cannot be used" in done.stderr
        assert "leaked" not in done.stderr


def names_of(definitions):
    return {key.to_user_string() for key in definitions.resolve_all_asset_keys()}


@pytest.mark.parametrize(
    "name", [*list(BAD)[:2], *(pytest.param(name, marks=pytest.mark.full) for name in list(BAD)[2:-1]), list(BAD)[-1]]
)
def test_one_bad_pipeline_file_is_one_broken_pipeline_and_the_others_live(platform, tmp_path, name):
    platform.pipeline(BANK, write_csv(tmp_path / "bank.csv", bank_rows()))
    (tmp_path / "pipelines" / name).write_text(BAD[name])
    stem = name.removesuffix(".yaml")

    definitions = platform.definitions
    assert "bank/validated_dataset" in names_of(definitions)
    assert f"{stem}/broken_pipeline" in names_of(definitions)
    assert f"{stem}/validated_dataset" not in names_of(definitions)
    spec = definitions.resolve_asset_graph().get(dg.AssetKey([stem, "broken_pipeline"]))
    assert spec.group_name == stem
    assert "[spec_invalid]" in spec.description
    assert str(tmp_path / "pipelines" / name) in spec.description or name == "undetectable.yaml"
    assert platform.materialize("bank/raw_dataset").success
    assert not platform.materialize(f"{stem}/broken_pipeline").success


def test_files_that_are_no_text_or_no_files_are_broken_pipelines(platform, tmp_path):
    folder = tmp_path / "pipelines"
    platform.pipeline(BANK, write_csv(tmp_path / "bank.csv", bank_rows()))
    (folder / "latin.yaml").write_bytes("name: caf\xe9".encode("latin-1"))
    (folder / "folder.yaml").mkdir()
    (folder / "Gone-Away.yaml").symlink_to(folder / "absent")
    os.mkfifo(folder / "pipe.yaml")
    found = names_of(platform.definitions)
    broken = {f"{name}/broken_pipeline" for name in ("latin", "folder", "gone_away", "pipe")}
    assert broken <= found
    assert "bank/validated_dataset" in found


def test_what_an_editor_leaves_is_no_pipeline(platform, tmp_path):
    """Emacs locks `x.yaml` by the dangling link `.#x.yaml`; macOS adds `._x.yaml`; others write copies."""
    folder = tmp_path / "pipelines"
    platform.pipeline(BANK, write_csv(tmp_path / "bank.csv", bank_rows()))
    before = names_of(platform.definitions)
    (folder / ".#bank.yaml").symlink_to("user@host.1234:1700000000")
    (folder / "._bank.yaml").write_bytes(b"\x00\x05\x16\x07\xff")
    (folder / ".bank.yaml").write_text("half of a fi")
    for name in ("bank.yaml~", ".bank.yaml.swp", "#bank.yaml#", "bank.yaml.bak", "~$bank.yaml"):
        (folder / name).write_text("half of a fi")
    assert names_of(platform.definitions) == before


def test_a_copy_with_the_same_name_does_not_replace_the_pipeline(platform, tmp_path):
    platform.pipeline(BANK, write_csv(tmp_path / "bank.csv", bank_rows()))
    text = (tmp_path / "pipelines" / "bank.yaml").read_text()
    (tmp_path / "pipelines" / "a copy.yaml").write_text(text.replace("min_rows: 50", "min_rows: 1"))
    found = names_of(platform.definitions)
    assert {"bank/validated_dataset", "a_copy/broken_pipeline"} <= found
    assert platform.materialize("bank/raw_dataset").success

    (tmp_path / "pipelines" / "bank.yaml").rename(tmp_path / "pipelines" / "b.yaml")
    assert "bank/validated_dataset" not in names_of(platform.definitions), "it is unknown which of the two is meant"


def test_check_names_every_bad_file_and_exits_2(tmp_path, capsys):
    (tmp_path / "churn.yaml").write_text(GOOD)
    assert main(["check", str(tmp_path)]) == 0
    for name, text in BAD.items():
        (tmp_path / name).write_text(text)
    assert main(["check", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert f"{len(BAD)} of {len(BAD) + 1} pipeline files cannot be used" in said
    assert all(str(tmp_path / name) in said for name in BAD)
    assert main(["check", str(tmp_path / "churn.yaml")]) == 0
    assert main(["check", str(tmp_path / "bad_owner.yaml")]) == 2
    assert "an owner is an e-mail address or team:name, not 'the data people'" in capsys.readouterr().err
