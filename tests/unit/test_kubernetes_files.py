"""The files for Kubernetes: valid by its OpenAPI, without rights and secrets, and taken by Dagster's launcher."""

import copy
import itertools
from pathlib import Path
from unittest.mock import Mock

import dagster as dg
import kubernetes
import kubernetes_validate
import pytest
import yaml
from dagster._core.launcher import LaunchRunContext
from dagster._core.test_utils import create_run_for_test
from dagster_chart import in_dagsters_words, unknown_names
from dagster_k8s import K8sRunLauncher
from step_handlers import KUBECONFIG

from resources.settings import Settings

ROOT = Path(__file__).parents[2]
VALUES = yaml.safe_load((ROOT / "deploy/helm-values.yaml").read_text())
MLFLOW, SERVICE = yaml.safe_load_all((ROOT / "deploy/kubernetes/mlflow.yaml").read_text())
[CODE] = VALUES["dagster-user-deployments"]["deployments"]
ROLES = {"webserver": VALUES["dagsterWebserver"], "daemon": VALUES["dagsterDaemon"], "code": CODE}
SCRATCH = {"/tmp", "/opt/assay/.assay"}


def problems_of(document):
    try:
        kubernetes_validate.validate(document, "1.34", strict=True)
    except kubernetes_validate.ValidationError as error:
        return [str(error.message)]
    return []


def pod_of(role):
    """Return a pod with the parts of the values that are Kubernetes' own."""
    container = {
        "name": "one",
        "image": "{repository}:{tag}".format(**role["image"]),
        "imagePullPolicy": role["image"]["pullPolicy"],
        "env": [{"name": name, "value": value} for name, value in role["env"].items()],
        "envFrom": [{"secretRef": each} for each in role["envSecrets"]],
        **{name: role[name] for name in ("resources", "securityContext", "volumeMounts", "readinessProbe") if name in role},
    }  # fmt: skip
    spec = {"containers": [container], "volumes": role["volumes"], "securityContext": role["podSecurityContext"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": spec}


def pods():
    return {
        **{name: pod_of(role)["spec"] for name, role in ROLES.items()},
        "mlflow": MLFLOW["spec"]["template"]["spec"],
    }


@pytest.mark.parametrize("document", [MLFLOW, SERVICE, *map(pod_of, ROLES.values())])
def test_what_is_kubernetes_own_is_valid_by_its_openapi(document):
    assert problems_of(document) == []
    broken = copy.deepcopy(document)
    broken["spec"]["replica"] = 2
    assert problems_of(broken)


def test_the_chart_has_a_use_for_every_value():
    assert unknown_names(VALUES) == []
    wrong = copy.deepcopy(VALUES)
    wrong["dagster-user-deployments"]["deployments"][0]["envSecret"] = []
    wrong["runLauncher"]["config"]["k8sRunLauncher"]["runK8sConfigs"] = {}
    assert sorted(unknown_names(wrong)) == [
        "dagster-user-deployments.deployments[0].envSecret",
        "runLauncher.config.k8sRunLauncher.runK8sConfigs",
    ]


@pytest.mark.parametrize("name", ["webserver", "daemon", "code", "mlflow"])
def test_containers_have_no_rights_and_write_to_scratch_folders_alone(name):
    pod = pods()[name]
    [container] = pod["containers"]
    assert container["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]) == (True, 10001)
    assert {each["mountPath"] for each in container["volumeMounts"]} == SCRATCH
    assert {each["name"] for each in container["volumeMounts"]} == {each["name"] for each in pod["volumes"]}
    assert all("emptyDir" in each for each in pod["volumes"])
    assert container["resources"]["limits"]["memory"]


def test_no_secret_is_written_in_a_file():
    secret = {"PASSWORD", "SECRET", "KEY", "STORE_URI"}
    for name, pod in pods().items():
        for each in pod["containers"][0]["env"]:
            assert "valueFrom" in each or not [word for word in secret if word in each["name"]], (name, each)
    assert VALUES["generatePostgresqlPasswordSecret"] is False
    assert "postgresqlPassword" not in VALUES["postgresql"]
    text = (ROOT / "deploy/helm-values.yaml").read_text() + (ROOT / "deploy/kubernetes/mlflow.yaml").read_text()
    assert "://" not in text.replace("https://mlflow.example.org", "")


def test_mlflow_answers_to_its_names_and_keeps_its_records_in_postgresql():
    [container] = MLFLOW["spec"]["template"]["spec"]["containers"]
    flags = dict(each.removeprefix("--").split("=", 1) for each in container["args"])
    assert "mlflow:5000" in flags["allowed-hosts"].split(",")
    assert "*" not in flags["allowed-hosts"].split(",")
    named = {each["name"]: each.get("valueFrom", {}).get("secretKeyRef", {}) for each in container["env"]}
    for name in ("MLFLOW_BACKEND_STORE_URI", "MLFLOW_ARTIFACTS_DESTINATION"):
        assert named[name] == {"name": "assay-mlflow", "key": name}, "an absent one would be a store on the pod's disk"
    assert SERVICE["spec"]["selector"].items() <= MLFLOW["spec"]["template"]["metadata"]["labels"].items()
    assert SERVICE["spec"]["ports"][0]["targetPort"] in {each["name"] for each in container["ports"]}


def test_roles_have_one_image_and_the_settings_of_the_platform():
    assert len({str(role["image"]) for role in ROLES.values()}) == 1
    assert MLFLOW["spec"]["template"]["spec"]["containers"][0]["image"] == "{repository}:{tag}".format(**CODE["image"])
    assert Settings(executor=CODE["env"]["ASSAY_EXECUTOR"]).executor == "kubernetes"
    options = dict(itertools.pairwise(CODE["dagsterApiGrpcArgs"]))
    assert (ROOT / options["-f"]).exists()
    port = ROLES["webserver"]["service"]["port"]
    assert ROLES["webserver"]["readinessProbe"]["httpGet"] == {"path": "/server_info", "port": port}
    assert port > 1024, "a user without rights cannot bind lower ports everywhere"


def launcher_config(tmp_path):
    (tmp_path / "kubeconfig").write_text(KUBECONFIG)
    given = in_dagsters_words(VALUES["runLauncher"]["config"]["k8sRunLauncher"])
    given["run_k8s_config"] = in_dagsters_words(given["run_k8s_config"])
    assert given.pop("load_incluster_config") is True
    return {
        **given,
        "load_incluster_config": False,
        "kubeconfig_file": str(tmp_path / "kubeconfig"),
        "job_namespace": "ml",
        "service_account_name": "dagster",
        "instance_config_map": "dagster-instance",
        "postgres_password_secret": VALUES["global"]["postgresqlSecretName"],
        "dagster_home": "/opt/dagster/dagster_home",
    }


def test_the_launcher_makes_a_valid_job_of_a_run(tmp_path):
    launcher = {"module": "dagster_k8s", "class": "K8sRunLauncher", "config": launcher_config(tmp_path)}
    overrides = {"run_launcher": launcher, **VALUES["additionalInstanceConfig"]}
    overrides["local_artifact_storage"]["config"]["base_dir"] = str(tmp_path / "artifacts")
    with dg.instance_for_test(overrides=overrides) as instance:
        made = instance.run_launcher
        assert isinstance(made, K8sRunLauncher)
        made._api_client.batch_api = Mock()
        run = create_run_for_test(instance, job_name="bookings_retrain_job", job_code_origin=origin())
        made.launch_run(LaunchRunContext(run, None))
        sent = made._api_client.batch_api.create_namespaced_job.call_args.kwargs
        assert instance.get_concurrency_config().pool_config.default_pool_limit == 2
    assert sent["namespace"] == "ml"
    job = kubernetes.client.ApiClient().sanitize_for_serialization(sent["body"])
    assert problems_of(job) == []
    pod = job["spec"]["template"]["spec"]
    assert job["spec"]["ttlSecondsAfterFinished"] == 86400
    assert pod["securityContext"] == CODE["podSecurityContext"]
    [container] = pod["containers"]
    assert container["image"] == "registry.example.org/assay:7"
    assert container["envFrom"] == [{"secretRef": {"name": "assay"}}]
    assert container["securityContext"] == CODE["securityContext"]
    assert container["resources"] == CODE["resources"]
    assert {each["mountPath"] for each in container["volumeMounts"]} >= SCRATCH


def origin():
    """Return the origin of a run whose code location the chart has started: its pod's parts go to the run's."""
    from dagster._core.code_pointer import FileCodePointer
    from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin

    context = {
        "k8s": {
            "env_secrets": [each["name"] for each in CODE["envSecrets"]],
            "resources": CODE["resources"],
            "security_context": CODE["securityContext"],
            "volumes": CODE["volumes"],
            "volume_mounts": CODE["volumeMounts"],
        }
    }
    pointer = FileCodePointer("definitions.py", "defs", "/opt/assay")
    repository = RepositoryPythonOrigin(
        "python", pointer, container_image="registry.example.org/assay:7", container_context=context
    )
    return JobPythonOrigin("bookings_retrain_job", repository)
