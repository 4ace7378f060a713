"""`dagster dev`, as `make dev` starts it: the graph loads, a run is launched through it, checks and metadata are there to see."""

import json
import subprocess
import time
import urllib.request

import pytest
from checkouts import checkout_in
from servers import free_port, stopped, wait_for
from small_platform import ASSETS, BANK, bank_rows, write_csv

LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}"""
TAGS = "query Tags($id: ID!) { runOrError(runId: $id) { ... on Run { tags { key value } } } }"
STATUS = "query Run($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
GRAPH = """
query { assetNodes { assetKey { path } groupName kinds
  dependencyKeys { path }
  assetMaterializations(limit: 1) { metadataEntries { label __typename } }
  assetChecksOrError { ... on AssetChecks { checks { name blocking
    executionForLatestMaterialization { status evaluation { success } } } } } } }"""

BELIEVES_THE_HEADER = """
run_coordinator:
  module: resources.launching_user
  class: UserTaggingRunCoordinator
  config: {user_header: X-Forwarded-User}
"""


class Webserver:
    def __init__(self, url):
        self.url = url

    def ask(self, query, **variables):
        body = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"Content-Type": "application/json", "X-Forwarded-User": "anna"}
        request = urllib.request.Request(f"{self.url}/graphql", body, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            found = json.load(answer)
        assert "errors" not in found, found
        return found["data"]

    def launch(self, keys, parameters=None):
        changed = {"space": "production"} | (parameters or {})
        config = {"resources": {"run_parameters": {"config": changed}}} if parameters else {}
        launched = self.ask(
            LAUNCH,
            params={
                "selector": {
                    "repositoryLocationName": "assay",
                    "repositoryName": "__repository__",
                    "pipelineName": "__ASSET_JOB",
                    "assetSelection": [{"path": key.split("/")} for key in keys],
                },
                "runConfigData": config,
                "mode": "default",
                "executionMetadata": {"tags": [{"key": "user", "value": "the owner"}]},
            },
        )["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return launched["run"]["runId"]

    def outcome(self, run_id, seconds=900):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            status = self.ask(STATUS, id=run_id)["runOrError"]["status"]
            if status in {"SUCCESS", "FAILURE", "CANCELED"}:
                return status
            time.sleep(0.2)
        return f"still {status}"


@pytest.fixture(scope="module")
def webserver(tmp_path_factory):
    """One server for all tests; each test looks at the run that it launched."""
    checkout = checkout_in(tmp_path_factory.mktemp("ui") / "checkout")
    checkout.write("pipelines/bank.yaml", BANK.format(source="data/bank.csv"))
    checkout.write("dagster.yaml", (checkout.root / "dagster.yaml").read_text() + BELIEVES_THE_HEADER)
    write_csv(checkout.root / "data" / "bank.csv", bank_rows())
    port = free_port()
    log = checkout.root / "webserver.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            ["dagster", "dev", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)],
            cwd=checkout.root,
            env=checkout.environment(DAGSTER_HOME=str(checkout.root), ASSAY_RUN_PRODUCTION="on"),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    with stopped(process):
        wait_for(f"http://127.0.0.1:{port}/server_info", process, log)
        yield Webserver(f"http://127.0.0.1:{port}")


def test_a_run_launched_from_the_ui_shows_checks_metadata_and_plots(webserver):
    nodes = {node["assetKey"]["path"][-1]: node for node in webserver.ask(GRAPH)["assetNodes"]}
    assert set(nodes) == set(ASSETS)
    assert {node["groupName"] for node in nodes.values()} == {"bank"}
    assert {tuple(key["path"]) for key in nodes["trained_model"]["dependencyKeys"]} == {
        ("bank", "validated_dataset"),
        ("bank", "best_hyperparameters"),
    }

    run_id = webserver.launch([f"bank/{name}" for name in ASSETS], {"tuning": {"n_trials": 2}})
    assert webserver.outcome(run_id) == "SUCCESS"
    tags = webserver.ask(TAGS, id=run_id)["runOrError"]["tags"]
    assert {"key": "user", "value": "anna"} in tags, "the header, and not what the request says of itself"

    nodes = {node["assetKey"]["path"][-1]: node for node in webserver.ask(GRAPH)["assetNodes"]}
    checks = nodes["validated_dataset"]["assetChecksOrError"]["checks"]
    assert len(checks) > 9
    assert all(check["executionForLatestMaterialization"]["evaluation"]["success"] for check in checks)
    [shown] = nodes["evaluation_report"]["assetMaterializations"]
    labels = {entry["label"] for entry in shown["metadataEntries"]}
    assert {"holdout roc_auc", "metrics", "plot/roc_curve", "stored at"} <= labels


@pytest.mark.full
def test_a_failed_gate_is_seen_in_the_ui(webserver):
    run_id = webserver.launch(
        ["bank/raw_dataset", "bank/validated_dataset"], {"data_validation": {"ranges": {"age": {"min": 30}}}}
    )
    assert webserver.outcome(run_id) == "FAILURE"
