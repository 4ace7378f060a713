"""`make up` and `make down` on a real engine: the shipped files, with small images in place of the official ones."""

import json
import os
import random
import re
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

import pytest
from engine import answers, output
from servers import free_port
from small_platform import write_csv

ROOT = Path(__file__).parents[2]
IMAGE = "assay:under-test"
PASSWORDS = {"anna": "a password of anna", "vera": "a password of vera"}
KEY = "a-key-of-16-letters"
PIPELINE = """\
name: bookings
task: regression
dataset:
  source: data/bookings.csv
  partitions: {by: month, column: day, start: "2021-01", end: "2021-04"}
  target: amount
split: {by: time, train_partitions: 1}
model: {candidates: [ridge]}
tuning: {enabled: false}
"""
ROW = {"day": "2021-03-01T00:00:00", "nights": 7}
DATA = ("raw_dataset", "validated_dataset")
MODEL = ("best_hyperparameters", "trained_model", "evaluation_report", "champion_model")
LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on UnauthorizedError { message }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}"""
RUN = "query Run($id: ID!) { runOrError(runId: $id) { ... on Run { status tags { key value } } } }"
RUNS = "query { runsOrError { ... on Runs { results { runId status rootRunId } } } }"
MADE = """
query Made($path: [String!]!) { assetNodeOrError(assetKey: {path: $path}) { ... on AssetNode {
  assetMaterializations { partition runId } } } }"""


def reason_to_skip():
    """Return why no deployment can run here; empty where one can."""
    if not answers("docker", "info"):
        return "no Docker Engine answers"
    if not (answers("docker", "compose", "version") or answers("docker-compose", "version")):
        return "neither the Compose plugin nor docker-compose is here"
    return ""


def waited(condition, seconds):
    """Return the first true value of a condition; what the proxy cannot reach meanwhile is asked again."""
    deadline, last = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        try:
            if last := condition():
                return last
        except (OSError, AssertionError) as error:
            last = error
        time.sleep(1)
    raise AssertionError(f"not within {seconds} s; last: {last}")


@dataclass(frozen=True)
class Stack:
    """A checkout whose deployment runs under a name of its own."""

    root: Path
    project: str
    ports: dict[str, int]

    def make(self, target):
        """Call the Makefile as the how-to does, over the small images."""
        small = "COMPOSE_FILES=deploy/compose/compose.yaml tests/deploy/compose.yaml"
        foreign = ("ASSAY_", "COMPOSE_", "MAKE", "MFLAGS")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        return output(
            *("make", target, small, f"IMAGE={IMAGE}", "BUILD_OPTIONS=--network host"),
            cwd=self.root,
            env={**environment, "DOCKER_BUILDKIT": "0"},
        )

    def container(self, service):
        labels = (f"project={self.project}", f"service={service}")
        filters = [f"--filter=label=com.docker.compose.{label}" for label in labels]
        return output("docker", "ps", "--all", "--quiet", *filters)

    def state(self, service):
        return json.loads(output("docker", "inspect", "--format", "{{json .State}}", self.container(service)))

    def is_healthy(self, service):
        return self.state(service)["Health"]["Status"] == "healthy"

    def kill(self, service):
        """Kill the processes of a container, as the kernel does when memory is short."""
        before = self.state(service)["StartedAt"]
        subprocess.run(["docker", "exec", self.container(service), "sh", "-c", "kill -9 -1"], check=False)
        waited(lambda: self.state(service)["StartedAt"] != before and self.is_healthy(service), 300)

    def request(self, site, path, body=None, name=None, **headers):
        """Return status and text of the proxy's answer."""
        given = {"Content-Type": "application/json", "X-Forwarded-User": "root", **headers}
        if name:
            given["Authorization"] = f"Basic {b64encode(f'{name}:{PASSWORDS[name]}'.encode()).decode()}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"https://localhost:{self.ports[site]}{path}", data, given)
        try:
            with urllib.request.urlopen(request, timeout=120, context=ssl._create_unverified_context()) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()

    def ask(self, query, name="anna", **variables):
        status, text = self.request("UI", "/graphql", {"query": query, "variables": variables}, name)
        assert status == 200, text
        return json.loads(text)["data"]

    def launch(self, month, assets, name="anna"):
        """Ask for a partition as the user interface does, and pretend to be somebody else."""
        tags = {"dagster/partition": month, "user": "root"}
        params = {
            "selector": {
                "repositoryLocationName": "assay",
                "repositoryName": "__repository__",
                "pipelineName": "__ASSET_JOB",
                "assetSelection": [{"path": ["bookings", each]} for each in assets],
            },
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
            "mode": "default",
        }
        return self.ask(LAUNCH, name, params=params)["launchRun"]

    def materialised(self, month, assets):
        """Launch a run, wait for its success, and return its number."""
        launched = self.launch(month, assets)
        assert launched["__typename"] == "LaunchRunSuccess", launched
        run_id = launched["run"]["runId"]
        assert self.ended(run_id) == "SUCCESS"
        return run_id

    def status(self, run_id):
        return self.ask(RUN, id=run_id)["runOrError"]["status"]

    def ended(self, run_id):
        ends = {"SUCCESS", "FAILURE", "CANCELED"}
        return waited(lambda: (status := self.status(run_id)) in ends and status, 600)

    def made(self, asset):
        """Return partition and run of each materialization."""
        found = self.ask(MADE, path=["bookings", asset])["assetNodeOrError"]["assetMaterializations"]
        return {(each["partition"], each["runId"]) for each in found}

    def prediction(self):
        status, text = self.request("SERVE", "/predict", {"rows": [ROW]}, **{"X-API-Key": KEY})
        assert status == 200, text
        return json.loads(text)


@pytest.fixture
def stack(tmp_path):
    """A copy of the checkout with settings, people and a pipeline; its containers and volumes are removed at the end."""
    if reason := reason_to_skip():
        pytest.skip(reason)
    root, project = tmp_path / "checkout", f"assay-test-{uuid.uuid4().hex[:8]}"
    tracked = output("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).split("\0")
    for name in (each for each in tracked if (ROOT / each).is_file()):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    ports = {name: free_port() for name in ("UI", "MLFLOW", "REPORTS", "SERVE")}
    stack = Stack(root, project, ports)
    settle(stack)
    try:
        yield stack
    finally:
        output("sh", "-c", f"docker ps -aq --filter label=com.docker.compose.project={project} | xargs -r docker rm -f")
        for kind in ("volume", "network"):
            found = output("docker", kind, "ls", "-q", f"--filter=label=com.docker.compose.project={project}").split()
            for each in found:
                output("docker", kind, "rm", each)


def settle(stack):
    """Fill in the settings, add the people and write the pipeline and its data."""
    folder = stack.root / "deploy" / "compose"
    values = {"COMPOSE_PROJECT_NAME": stack.project, "ASSAY_IMAGE": IMAGE, "ASSAY_LAUNCHERS": "anna"}
    values |= {"ASSAY_SERVE_KEYS": KEY, "ASSAY_SERVE_PIPELINE": "bookings"}
    values |= {f"ASSAY_{name}_PORT": str(port) for name, port in stack.ports.items()}
    text = (folder / ".env.example").read_text()
    for name, value in values.items():
        text = re.sub(f"^{name}=.*$", f"{name}={value}", text, flags=re.MULTILINE)
    text = re.sub("^(.*PASSWORD)=$", lambda found: f"{found[1]}={uuid.uuid4().hex}", text, flags=re.MULTILINE)
    (folder / ".env").write_text(text)
    shutil.rmtree(stack.root / "pipelines")
    (stack.root / "pipelines").mkdir()
    (stack.root / "pipelines" / "bookings.yaml").write_text(PIPELINE)
    draw = random.Random(5)
    write_csv(
        stack.root / "data" / "bookings.csv",
        [
            {"day": f"2021-{month:02d}-{1 + number % 28:02d}T00:00:00", "nights": number % 14, "amount": amount}
            for month in (1, 2, 3)
            for number in range(200)
            for amount in [round(50 * (number % 14) + draw.gauss(100, 120), 2)]
        ],
    )
    output("docker", "build", "--network", "host", "-t", "assay-test-proxy", stack.root / "tests/deploy/proxy")
    environment = {**os.environ, "ASSAY_PROXY_IMAGE": "assay-test-proxy"}
    for name, password in PASSWORDS.items():
        output(folder / "add-person", name, input=f"{password}\n", env=environment)


@pytest.mark.docker
@pytest.mark.full
@pytest.mark.timeout(5400)
def test_a_team_works_on_it_and_nothing_is_lost(stack):
    stack.make("up")
    waited(lambda: stack.is_healthy("proxy"), 120)

    assert stack.request("UI", "/graphql", {"query": RUNS})[0] == 401
    assert stack.request("MLFLOW", "/")[0] == 401
    assert stack.launch("2021-01", DATA, "vera")["__typename"] == "UnauthorizedError"
    assert stack.request("SERVE", "/predict", {"rows": [ROW]})[0] == 401

    stack.materialised("2021-01", DATA)
    run_id = stack.materialised("2021-02", DATA + MODEL)
    tags = stack.ask(RUN, id=run_id)["runOrError"]["tags"]
    assert {"key": "user", "value": "anna"} in tags, "the proxy's name, and neither the client's header nor its tag"
    answer = waited(stack.prediction, 300)
    assert answer["version"] == "1"

    for service in ("code", "daemon"):
        stack.kill(service)
    stack.materialised("2021-03", DATA)

    interrupted = stack.launch("2021-03", DATA)["run"]["runId"]
    waited(lambda: stack.status(interrupted) == "STARTED", 300)
    stack.make("down")
    assert not stack.container("code")
    stack.make("up")
    waited(lambda: stack.is_healthy("proxy"), 120)
    assert stack.status(interrupted) == "FAILURE", "it was ended, and is not left as if it ran"
    assert ("2021-02", run_id) in stack.made("champion_model")
    again = waited(stack.prediction, 300)
    assert (again["version"], again["predictions"]) == (answer["version"], answer["predictions"])
    retried = waited(lambda: retry_of(stack, interrupted), 300)
    assert stack.ended(retried) == "SUCCESS"


def retry_of(stack, run_id):
    runs = stack.ask(RUNS)["runsOrError"]["results"]
    return next((each["runId"] for each in runs if each["rootRunId"] == run_id and each["runId"] != run_id), None)
