"""Steps in containers of their own on a real engine: the image, Dagster's launcher and executor for Docker."""

import json
import os
import subprocess
import time
import uuid
from pathlib import Path

import pytest
from engine import answers, output
from small_platform import write_csv

ROOT = Path(__file__).parents[2]
IMAGE = "assay:steps-under-test"
PIPELINE = """\
name: bookings
task: regression
dataset:
  source: .assay/bookings.csv
  partitions: {by: month, column: day, start: "2021-01", end: "2021-04"}
  target: amount
model: {candidates: [ridge]}
tuning: {enabled: false}
"""
ASKED = "execution: {isolation: container, cpu: {trained_model: 0.75}, memory_mb: {trained_model: 1600}}\n"
STEPS = (
    "raw_dataset", "validated_dataset", "best_hyperparameters", "trained_model", "evaluation_report", "champion_model",
)  # fmt: skip
INSTANCE = """\
storage:
  custom: {{module: resources.instance_storage, class: SafeSqliteStorage, config: {{base_dir: .assay/dagster}}}}
run_coordinator: {{module: dagster._core.run_coordinator, class: DefaultRunCoordinator}}
run_launcher:
  module: dagster_docker
  class: DockerRunLauncher
  config:
    image: {image}
    env_vars: [ASSAY_EXECUTOR=docker, HOME=/tmp]
    container_kwargs:
      volumes: [{volumes}]
      user: "0:0"
      read_only: true
      cap_drop: [ALL]
      cap_add: [DAC_OVERRIDE]
      tmpfs: {{/tmp: "mode=1777,exec"}}
      labels: {{assay-test: {label}}}
telemetry: {{enabled: false}}
"""
RUN = """\
import json, sys
import dagster as dg
with dg.DagsterInstance.get() as instance:
    run = instance.get_run_by_id(sys.argv[1])
    made = [each.dagster_event for each in instance.all_logs(run.run_id) if each.dagster_event]
    print("RUN", json.dumps({
        "status": run.status.value,
        "tags": run.tags,
        "made": [each.asset_key.path[-1] for each in made if each.event_type_value == "ASSET_MATERIALIZATION"],
        "partitions": sorted({each.partition or "" for each in made if each.event_type_value == "ASSET_MATERIALIZATION"}),
        "containers": {
            each.step_key.split("__")[-1]: each.event_specific_data.metadata["Docker container id"].value
            for each in made if each.event_type_value == "STEP_WORKER_STARTING"
            and "Docker container id" in each.event_specific_data.metadata
        },
        "errors": [str(each.message) + str(getattr(each.event_specific_data, "error", ""))[-3000:] for each in made
            if each.event_type_value in ("STEP_FAILURE", "PIPELINE_FAILURE", "ENGINE_EVENT")],
    }))
"""

pytestmark = [
    pytest.mark.docker,
    pytest.mark.full,
    pytest.mark.skipif(not answers("docker", "info"), reason="no Docker Engine answers"),
]


@pytest.fixture(scope="module", autouse=True)
def image():
    environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
    output(
        *("make", "image", f"IMAGE={IMAGE}", "EXTRAS=docker", "BUILD_OPTIONS=--network host"), cwd=ROOT, env=environment
    )


@pytest.fixture
def deployment(tmp_path):
    made = Deployment(tmp_path)
    yield made
    made.remove()


class Deployment:
    """A folder that the containers of runs and steps share, with the engine's own socket."""

    def __init__(self, folder):
        self.label = folder.parent.name
        self.volumes = [
            f"{folder}/home:/opt/assay/.assay",
            f"{folder}/pipelines:/opt/assay/pipelines:ro",
            f"{folder}/instance:/opt/dagster_home",
            f"{os.environ['DOCKER_HOST'].removeprefix('unix://')}:/var/run/docker.sock",
        ]
        for name in ("home", "pipelines", "instance"):
            (folder / name).mkdir()
        quoted = ", ".join(json.dumps(each) for each in self.volumes)
        (folder / "instance" / "dagster.yaml").write_text(
            INSTANCE.format(image=IMAGE, volumes=quoted, label=self.label)
        )
        rows = [
            {"day": f"2021-{month:02d}-{1 + n % 28:02d}T00:00:00", "nights": n, "amount": 3 * n + n % 2}
            for month in (1, 2)
            for n in range(60)
        ]
        write_csv(folder / "home" / "bookings.csv", rows)
        self.pipelines = folder / "pipelines"

    def command(self, *words):
        mounts = [word for each in self.volumes for word in ("--volume", each)]
        settings = ("--env", "ASSAY_EXECUTOR=docker", "--env", "HOME=/tmp", "--user", "0:0")
        return output("docker", "run", "--rm", "--network", "none", *settings, *mounts, IMAGE, *words)

    def finished(self, partition):
        """Launch a run of the pipeline's job, wait until it is over, and return what is known of it."""
        tags = json.dumps({"dagster/partition": partition})
        run_id = str(uuid.uuid4())
        self.command(
            *("dagster", "job", "launch", "-w", "workspace.yaml", "-j", "bookings_retrain_job"),
            *("--tags", tags, "--run-id", run_id),
        )
        deadline = time.monotonic() + 900
        while time.monotonic() < deadline:
            text = self.command("python", "-c", RUN, run_id)
            found = json.loads(text.rpartition("RUN ")[2])
            if found["status"] in {"SUCCESS", "FAILURE", "CANCELED"}:
                return found
            time.sleep(5)
        raise AssertionError(f"not over: {found}; {self.logs()}")

    def containers(self):
        found = output("docker", "ps", "--all", "--quiet", f"--filter=label=assay-test={self.label}").split()
        return json.loads(output("docker", "inspect", *found)) if found else []

    def logs(self):
        logs = [subprocess.run(["docker", "logs", each["Id"]], capture_output=True, text=True, check=False)
                for each in self.containers()]  # fmt: skip
        return "\n".join((each.stdout + each.stderr)[-3000:] for each in logs)

    def remove(self):
        for each in self.containers():
            subprocess.run(["docker", "rm", "--force", each["Id"]], capture_output=True, check=False)


def test_each_step_of_a_partition_runs_in_a_container_of_its_own_where_the_pipeline_asks(deployment):
    (deployment.pipelines / "bookings.yaml").write_text(PIPELINE + ASKED)
    run = deployment.finished("2021-02")
    assert run["status"] == "SUCCESS", (run["errors"], deployment.logs())
    assert set(run["made"]) == set(STEPS)
    containers = {each["Id"]: each for each in deployment.containers()}
    own = {name: containers[id_] for name, id_ in run["containers"].items()}
    assert set(own) == set(STEPS)
    assert len({each["Id"] for each in own.values()} | {run["tags"]["docker/container_id"]}) == len(STEPS) + 1
    assert {each["State"]["ExitCode"] for each in own.values()} == {0}
    assert {each["HostConfig"]["ReadonlyRootfs"] for each in own.values()} == {True}
    limits = {name: (each["HostConfig"]["NanoCpus"], each["HostConfig"]["Memory"]) for name, each in own.items()}
    assert limits.pop("trained_model") == (750_000_000, 2000 << 20)
    assert set(limits.values()) == {(0, 0)}


def test_a_pipeline_that_does_not_ask_has_the_container_of_its_run_alone(deployment):
    (deployment.pipelines / "bookings.yaml").write_text(PIPELINE)
    run = deployment.finished("2021-02")
    assert run["status"] == "SUCCESS", (run["errors"], deployment.logs())
    assert set(run["made"]) == set(STEPS)
    assert run["containers"] == {}
    assert [each["Id"] for each in deployment.containers()] == [run["tags"]["docker/container_id"]]
