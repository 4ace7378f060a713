"""Every how-to is followed exactly: its files are written, its commands run, and its output is compared.

One of each kind runs in `make test`, all of them in `make test-all`.
"""

import contextlib
import os
import shutil
import signal
from pathlib import Path

import pytest
from checkouts import BIN, ROOT
from how_tos import BLOCK, HOW_TOS, commands_of, how_to_of, pipelines
from postgres_server import postgres_server
from servers import free_port

OF_EACH_KIND = (
    "start-a-project.md",
    "add-a-model.md",
    "prepare-columns.md",
    "use-your-own-assets.md",
    "log-to-mlflow-from-your-own-asset.md",
    "run-from-the-shell.md",
    "read-any-file.md",
    "retrain-on-new-data.md",
    "limit-and-recover-runs.md",
    "restrict-what-a-run-may-do.md",
    "connect-other-tools.md",
)
"""One of each kind; the further ones are for `make test-all`."""
FURTHER = (
    "add-a-pipeline.md",
    "training-options.md",
    "add-a-metric.md",
    "add-a-rule.md",
    "transform-rows.md",
    "join-another-source.md",
    "use-the-feature-store.md",
    "use-features-from-a-notebook.md",
    "build-with-components.md",
    "share-settings-between-pipelines.md",
    "backtest-by-backfill.md",
    "notifications.md",
    "read-from-sql.md",
    "watch-for-drift.md",
    "promote-and-roll-back.md",
    "experiment-without-touching-production.md",
    "decide-what-replaces-a-champion.md",
    "plan-a-retraining.md",
    "run-branches-in-ci.md",
    "reproduce-a-model.md",
    "keep-storage-small.md",
    "forget-a-person.md",
    "use-a-model-in-python.md",
    "late-labels.md",
    "serve-on-kubernetes.md",
    "deploy-on-kubernetes.md",
)
IN_A_REAL_SHELL = "add-a-model.md"
IN_A_REPOSITORY = "run-branches-in-ci.md"
WITH_S3_AND_MLFLOW = "use-s3-and-a-remote-mlflow.md"
WITH_POSTGRESQL = "run-on-postgresql.md"
WITH_CONTAINERS = "deploy-with-compose.md"  # needs Docker; tests/unit/test_compose_file.py compares what it names
WITH_AN_ENDPOINT = ("serve-a-model.md", "compare-two-models-live.md", "read-a-model-report.md")
ADDRESSES = ("127.0.0.1:8000", "127.0.0.1:8090")
READERS = {".assay", "data", "extensions"}


def follow(how_to: str, checkout, *, replaced=(), **environment):
    text = (HOW_TOS / how_to).read_text()
    for old, new in replaced:
        assert old in text
        text = text.replace(old, new)
    # Dagster copies a step's output to the console by `tail`, which it ends at once: on a busy machine the last lines
    # are lost (dagster-io/dagster, issue 23336)
    environment = {"DAGSTER_COMPUTE_LOG_TAIL_WAIT_AFTER_FINISH": "0.2"} | environment
    ran, before = 0, {path.name for path in checkout.root.iterdir()}
    others = names_of_pipelines(checkout.root / "pipelines")
    for block in BLOCK.finditer(text):
        if block["title"]:
            checkout.write(block["title"], block["body"])
        elif block["kind"] == "console":
            for command in commands_of(block["body"]):
                done = checkout.run(command.line, **environment)
                assert done.returncode == command.exit_code, f"{command.line}\n{done.stdout[-6000:]}"
                for expected in command.expected:
                    assert expected in done.stdout, f"{command.line}\n{done.stdout[-6000:]}"
                ran += 1
    assert ran, f"{how_to} has no command"
    assert {path.name for path in checkout.root.iterdir()} - before <= READERS
    own = pipelines(how_to_of(how_to, text))
    # of one file several pipelines may be made, whose names begin with its own
    made = {name for name in names_of_pipelines(checkout.root / "pipelines") - others if name not in own}
    assert [name for name in made if not name.startswith(tuple(f"{each}_" for each in own))] == []


def names_of_pipelines(folder: Path) -> set[str]:
    """The pipelines of which a folder holds files, frozen schemas among them."""
    return {path.name.partition(".")[0] for path in folder.rglob("*.yaml")}


@pytest.mark.parametrize(
    "how_to",
    [
        # one types its commands into a real shell; the others are spared the start of each command
        *(pytest.param(name, marks=[pytest.mark.cold] if name == IN_A_REAL_SHELL else []) for name in OF_EACH_KIND),
        *(pytest.param(name, marks=pytest.mark.full) for name in FURTHER),
    ],
)
def test_a_how_to_works_as_written(how_to, checkout):
    if how_to == IN_A_REPOSITORY:
        begin_repository(checkout)
    follow(how_to, checkout)


def begin_repository(checkout):
    shutil.copy(ROOT / ".gitignore", checkout.root)
    done = checkout.run(
        "git init -q -b main && git config user.email team@example.org && git config user.name Team"
        " && git add -A && git commit -qm 'The platform'"
    )
    assert done.returncode == 0, done.stdout


def test_s3_and_a_remote_mlflow_work_as_written(checkout, s3_server, mlflow_server):
    s3_server.client.create_bucket(Bucket="assay-demo")
    rows = "".join(f"{20 + n % 50};{n % 7};{'yes' if (n % 50) > 30 else 'no'}\n" for n in range(300))
    s3_server.client.put_object(
        Bucket="assay-demo", Key="data/bank.csv", Body=("age;calls;y\n" + rows).replace(";", ",")
    )
    follow(
        WITH_S3_AND_MLFLOW,
        checkout,
        replaced=[("http://127.0.0.1:5555", s3_server.url), ("http://127.0.0.1:5556", mlflow_server)],
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
    )
    keys = [
        item["Key"] for item in s3_server.client.list_objects_v2(Bucket="assay-demo", Prefix="artifacts/")["Contents"]
    ]
    assert any(key.endswith(".parquet") for key in keys)
    logs = s3_server.client.list_objects_v2(Bucket="assay-demo", Prefix="dagster-logs/")["Contents"]
    assert any(item["Key"].endswith((".out", ".err")) for item in logs)
    assert not (checkout.root / ".assay" / "store").exists()


def test_postgresql_works_as_written(checkout):
    with postgres_server() as server:
        follow(
            WITH_POSTGRESQL,
            checkout,
            replaced=[("postgresql://owner:secret@127.0.0.1:5557/postgres", server.url)],
        )
    assert not (checkout.root / ".assay" / "dagster" / "history").exists()


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.parametrize(
    "how_to", [*(pytest.param(name, marks=pytest.mark.full) for name in WITH_AN_ENDPOINT[:-1]), WITH_AN_ENDPOINT[-1]]
)
def test_serving_works_as_written(how_to, checkout):
    serve_as_users_do(checkout)
    follow_with_an_endpoint(how_to, checkout)


def serve_as_users_do(checkout):
    """Have endpoints and sites of a checkout started as a user's are, in a process of their own."""
    warm = (checkout.scripts / "assay").rename(checkout.scripts / "warm")
    checkout.write(
        str(checkout.scripts / "assay"),
        f'#!/bin/sh\ncase "$1" in serve|show) exec {BIN}/assay "$@" ;; esac\nexec {warm} "$@"\n',
    ).chmod(0o755)


def follow_with_an_endpoint(how_to, checkout):
    port, text = free_port(), (HOW_TOS / how_to).read_text()
    try:
        follow(
            how_to,
            checkout,
            replaced=[(address, f"127.0.0.1:{port}") for address in ADDRESSES if address in text],
            ASSAY_SERVE_PORT=str(port),
            ASSAY_REPORTS_PORT=str(port),
            ASSAY_SERVE_PROCESSES="2",
            ASSAY_SERVE_POLL_SECONDS="1",
        )
    finally:
        for running in checkout.root.glob("data/*/endpoint.pid"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(running.read_text()), signal.SIGTERM)
            running.unlink()


@pytest.mark.full
@pytest.mark.timeout(3 * 3600)
@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_one_project_follows_all_how_tos_backwards(checkout):
    """The reverse of their order, as each is complete by itself. Those with servers of their own keep rows there."""
    begin_repository(checkout)
    serve_as_users_do(checkout)
    failed = {}
    for name in sorted({*OF_EACH_KIND, *FURTHER, *WITH_AN_ENDPOINT}, reverse=True):
        try:
            (follow_with_an_endpoint if name in WITH_AN_ENDPOINT else follow)(name, checkout)
        except AssertionError as error:
            failed[name] = str(error)
    assert failed == {}
    changed = checkout.run("git status --porcelain --untracked-files=all").stdout.splitlines()
    assert [line for line in changed if not line[3:].startswith(("extensions/", "pipelines/"))] == []


def test_every_how_to_is_followed_by_a_test():
    assert {path.name for path in HOW_TOS.glob("*.md")} - {WITH_CONTAINERS} == {
        *OF_EACH_KIND,
        *FURTHER,
        WITH_S3_AND_MLFLOW,
        WITH_POSTGRESQL,
        *WITH_AN_ENDPOINT,
    }
