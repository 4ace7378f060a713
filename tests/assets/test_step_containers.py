"""Where a pipeline asks for it, each step runs in a container of its own, with image, cores, memory and GPUs."""

import builtins
import json
from types import SimpleNamespace
from unittest.mock import Mock

import dagster as dg
import kubernetes
import kubernetes_validate
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from dagster._core.system_config.objects import ResolvedRunConfig
from dagster_k8s.container_context import K8sContainerContext
from dagster_k8s.executor import K8sStepHandler
from small_platform import failure
from step_handlers import KUBECONFIG, handler_context

from assay.errors import SettingError
from assay.specs.operations import ExecutionSpec
from definitions import build_definitions
from ml_assets import dagster_executors
from ml_assets.resource_wiring import executor_for
from ml_assets.step_containers import CONTAINER_TAG, KUBERNETES_TAG, asks_for_containers, container_tags, docker_config
from resources.settings import Settings

IMAGE = "registry.example.org:5000/team/assay:1.2"
ASKED = f"""\
execution:
  isolation: container
  image: {{trained_model: "{IMAGE}"}}
  cpu: 1.5
  memory_mb: {{trained_model: 4000, raw_dataset: 20000}}
  gpu: {{trained_model: 2}}
  pool: {{trained_model: gpus}}
"""


@pytest.fixture
def contained(bank):
    path = bank.settings.pipelines_dir / "bank.yaml"
    path.write_text(path.read_text() + ASKED)
    return bank


def tags_of(platform):
    return {asset.key.path[-1]: asset.op.tags for asset in platform.definitions.assets}


def test_an_operation_carries_what_its_container_is_to_have(contained):
    tags = tags_of(contained)
    assert json.loads(tags["trained_model"][CONTAINER_TAG]) == {
        "image": IMAGE, "cpu": 1.5, "memory_mb": 4000, "gpu": 2,
    }  # fmt: skip
    assert json.loads(tags["trained_model"][KUBERNETES_TAG]) == {
        "container_config": {
            "image": IMAGE,
            "resources": {
                "requests": {"cpu": "1500m", "memory": "4000Mi"},
                "limits": {"cpu": "1500m", "memory": "5000Mi", "nvidia.com/gpu": "2"},
            },
        },
        "pod_template_spec_metadata": {"labels": {"assay/pool": "gpus"}},
    }
    assert json.loads(tags["raw_dataset"][KUBERNETES_TAG]) == {
        "container_config": {
            "resources": {
                "requests": {"cpu": "1500m", "memory": "20000Mi"},
                "limits": {"cpu": "1500m", "memory": "25000Mi"},
            },
        },
    }
    assert json.loads(tags["validated_dataset"][CONTAINER_TAG]) == {"cpu": 1.5}


def test_other_pipelines_have_no_such_tags_and_the_same_operations_as_before(bank):
    assert not [name for name, tags in tags_of(bank).items() if {CONTAINER_TAG, KUBERNETES_TAG} & set(tags)]
    assert container_tags(ExecutionSpec().container_of("raw_dataset"), "gpus") == {}
    assert ExecutionSpec().model_dump().keys().isdisjoint({"isolation", "image", "cpu", "gpu"})


def test_a_container_without_limits_of_its_own_asks_for_nothing():
    tags = container_tags(ExecutionSpec(isolation="container").container_of("raw_dataset"), None)
    assert tags == {CONTAINER_TAG: "{}", KUBERNETES_TAG: '{"container_config": {}}'}
    assert asks_for_containers([tags])


class StoppedError(Exception):
    """A container would be created now."""


class FakeEngine:
    """Docker's client up to the creation of a container."""

    def __init__(self):
        self.created = {}
        self.containers = SimpleNamespace(create=self.create)

    def create(self, image, **given):
        self.created = {"image": image, **given}
        raise StoppedError


def docker_handler(instance):
    from ml_assets.docker_steps import docker_step_executor

    context = dg.InitExecutorContext(
        job=InMemoryJob(dg.GraphDefinition("empty").to_job()),
        executor_def=docker_step_executor,
        executor_config={"retries": {"enabled": {}}, "max_concurrent": 3},
        instance=instance,
    )
    return docker_step_executor.executor_creation_fn(context)._step_handler


@pytest.fixture
def docker_instance():
    launcher = {
        "module": "dagster_docker",
        "class": "DockerRunLauncher",
        "config": {
            "env_vars": ["ASSAY_EXECUTOR=docker"],
            "networks": ["team"],
            "container_kwargs": {"read_only": True, "mem_limit": "1g", "auto_remove": True},
        },
    }
    with dg.instance_for_test(overrides={"run_launcher": launcher}) as instance:
        yield instance


@pytest.mark.parametrize(
    ("asset", "expected"),
    [
        (
            "trained_model",
            {
                "image": IMAGE,
                "nano_cpus": 1_500_000_000,
                "mem_limit": 5000 << 20,
                "device_requests": [{"count": 2, "capabilities": [["gpu"]]}],
            },
        ),
        ("validated_dataset", {"image": "deployment:7", "nano_cpus": 1_500_000_000, "mem_limit": "1g"}),
    ],
)
def test_docker_creates_the_container_of_a_step_with_what_is_asked(
    contained, docker_instance, monkeypatch, asset, expected
):
    engine = FakeEngine()
    monkeypatch.setattr("docker.client.from_env", lambda: engine)
    context = handler_context(contained, docker_instance, f"bank__{asset}", "deployment:7")
    with pytest.raises(StoppedError):
        list(docker_handler(docker_instance).launch_step(context))
    assert engine.created.pop("name").startswith("dagster-step-")
    assert engine.created == {
        **expected,
        "auto_remove": True,
        "command": ["dagster", "api", "execute_step"],
        "detach": True,
        "environment": {
            "ASSAY_EXECUTOR": "docker",
            "DAGSTER_RUN_JOB_NAME": "__ASSET_JOB",
            "DAGSTER_RUN_STEP_KEY": f"bank__{asset}",
        },
        "network": "team",
        "read_only": True,
    }


def test_docker_py_takes_the_limits_of_a_container(contained):
    from docker.types import HostConfig

    asked = ExecutionSpec(isolation="container", cpu=0.25, memory_mb=100, gpu=1).container_of("raw_dataset")
    made = HostConfig(version="1.43", **docker_config(asked))
    assert (made["NanoCpus"], made["Memory"]) == (250_000_000, 125 << 20)
    assert made["DeviceRequests"][0]["Count"] == 1


def job_of(contained, instance, tmp_path, asset, **launcher):
    """Return the Kubernetes job that is created for a step, as the API gets it."""
    config = tmp_path / "kubeconfig"
    config.write_text(KUBECONFIG)
    batch = Mock()
    handler = K8sStepHandler(
        image=None,
        container_context=K8sContainerContext(),
        load_incluster_config=False,
        kubeconfig_file=str(config),
        k8s_client_batch_api=batch,
    )
    list(handler.launch_step(handler_context(contained, instance, f"bank__{asset}", "deployment:7")))
    body = batch.create_namespaced_job.call_args.kwargs["body"]
    return kubernetes.client.ApiClient().sanitize_for_serialization(body)


@pytest.fixture
def cluster_instance(tmp_path):
    (tmp_path / "launcher").write_text(KUBECONFIG)
    launcher = {
        "module": "dagster_k8s",
        "class": "K8sRunLauncher",
        "config": {
            "service_account_name": "dagster",
            "instance_config_map": "dagster-instance",
            "postgres_password_secret": "dagster-postgresql",
            "dagster_home": "/opt/dagster/dagster_home",
            "load_incluster_config": False,
            "kubeconfig_file": str(tmp_path / "launcher"),
            "env_secrets": ["assay"],
            "run_k8s_config": {"pod_spec_config": {"security_context": {"run_as_non_root": True}}},
        },
    }
    with dg.instance_for_test(overrides={"run_launcher": launcher}) as instance:
        yield instance


def test_kubernetes_gets_a_valid_job_for_a_step_with_what_is_asked(contained, cluster_instance, tmp_path):
    job = job_of(contained, cluster_instance, tmp_path, "trained_model")
    kubernetes_validate.validate(job, "1.34", strict=True)
    pod = job["spec"]["template"]
    [container] = pod["spec"]["containers"]
    assert container["image"] == IMAGE
    assert container["resources"] == {
        "requests": {"cpu": "1500m", "memory": "4000Mi"},
        "limits": {"cpu": "1500m", "memory": "5000Mi", "nvidia.com/gpu": "2"},
    }
    assert pod["metadata"]["labels"]["assay/pool"] == "gpus"
    assert pod["spec"]["securityContext"] == {"runAsNonRoot": True}
    assert container["envFrom"] == [{"secretRef": {"name": "assay"}}]
    other = job_of(contained, cluster_instance, tmp_path, "validated_dataset")
    kubernetes_validate.validate(other, "1.34", strict=True)
    [container] = other["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "deployment:7"
    assert container["resources"] == {"requests": {"cpu": "1500m"}, "limits": {"cpu": "1500m"}}


def recorded(made, name):
    def watch(_instance, _run, _log, events):
        made.append(name)
        yield from events

    return dagster_executors.executor_watched(dg.in_process_executor, watch)


@pytest.mark.parametrize(("tags", "chosen"), [({}, "process"), ({CONTAINER_TAG: "{}"}, "contained")])
def test_a_run_has_containers_where_one_of_its_steps_asks_for_some(tags, chosen):
    made = []
    executor = dagster_executors.executor_chosen(
        recorded(made, "contained"), recorded(made, "process"), asks_for_containers
    ).configured({"contained": {}, "process": {}}, name="either")

    @dg.job(executor_def=executor)
    def job():
        dg.op(name="first", tags=tags)(lambda: None)()
        dg.op(name="second")(lambda: None)()

    with dg.instance_for_test() as instance:
        run = instance.create_run_for_job(job)
        assert execute_run(InMemoryJob(job), run, instance).success
    assert made == [chosen]


def test_what_a_cluster_lacks_is_asked_of_it_only_by_runs_with_containers():
    @dg.executor(name="nowhere")
    def nowhere(_context):
        raise StoppedError

    executor = dagster_executors.executor_chosen(nowhere, dg.in_process_executor, asks_for_containers)

    @dg.job(executor_def=executor.configured({"contained": {}, "process": {}}, name="either"))
    def job():
        dg.op(name="idle")(lambda: None)()

    with dg.instance_for_test() as instance:
        run = instance.create_run_for_job(job)
        assert execute_run(InMemoryJob(job), run, instance).success


def created(executor, instance):
    """Return the executor as Dagster creates it for a run of a job, with the configuration that it resolves."""

    @dg.job(executor_def=executor)
    def job():
        dg.op(name="idle")(lambda: None)()

    config = ResolvedRunConfig.build(job, {}).execution.execution_engine_config
    return executor.executor_creation_fn(dg.InitExecutorContext(InMemoryJob(job), executor, config, instance))


@pytest.mark.parametrize("name", ["kubernetes", "docker"])
def test_the_executors_of_containers_are_made_of_the_settings(name, docker_instance, monkeypatch):
    monkeypatch.setattr("kubernetes.config.load_incluster_config", lambda: None)
    settings = Settings(executor=name, max_concurrent=3, supervision="off")
    executor = executor_for(settings)
    assert executor.name == name
    chosen = created(executor, docker_instance)._executor
    assert chosen._executor._max_concurrent == 3
    assert "forkserver" in chosen._executor._start_method
    containers = chosen._create_contained()
    assert containers._max_concurrent == 3
    assert containers._step_handler.name == {"kubernetes": "K8sStepHandler", "docker": "DockerStepHandler"}[name]
    assert containers.retries == chosen.retries


@pytest.mark.parametrize("name", ["kubernetes", "docker"])
def test_an_executor_without_its_package_says_what_to_install(monkeypatch, name):
    usual = builtins.__import__

    def without(module, *given):
        if module.startswith(("dagster_k8s", "dagster_docker", "ml_assets.docker_steps")):
            raise ImportError(module)
        return usual(module, *given)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SettingError, match=rf"install assay\[{name}\]"):
        executor_for(Settings(executor=name))


def test_elsewhere_the_log_says_that_containers_are_not_to_be_had(contained, caplog):
    job = build_definitions(contained.settings).resolve_implicit_global_asset_job_def()
    subset = job.get_subset(asset_selection={dg.AssetKey(["bank", "raw_dataset"])})
    run = contained.instance.create_run_for_job(
        subset, asset_selection=frozenset({dg.AssetKey(["bank", "raw_dataset"])})
    )
    result = execute_run(InMemoryJob(subset), run, contained.instance)
    assert result.success, failure(result)
    logged = [each.user_message for each in contained.instance.all_logs(run.run_id)]
    [said] = [message for message in logged if "`execution.isolation: container` has no effect" in message]
    assert "executor is in_process" in said
