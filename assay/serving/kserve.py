"""The endpoint on Kubernetes, as an InferenceService of KServe.

Fields are those of KServe's API `serving.kserve.io/v1beta1`
(https://kserve.github.io/website/docs/reference/crd-api). Limits of security stand with the container, where Knative
takes them without a feature flag.
"""

from typing import Any, Self

from pydantic import Field, model_validator

from assay.specs.base import Spec, invalid

_NAME = r"^[a-z]([a-z0-9-]{0,51}[a-z0-9])?$"
_IMAGE = r"^[A-Za-z0-9][A-Za-z0-9._:/@-]*$"
_PORT = 8080
_USER = 10001
"""Of the image; as a number, which `runAsNonRoot` needs."""
_SCRATCH = "/scratch"
_REQUESTS_OF_A_PROCESS = 32
_MEMORY_OF_A_PROCESS = 1024
"""In MiB. A process takes about 450 MB, and what requests and a change of version take beside it."""

SECRETS = {
    "ASSAY_SERVE_KEYS": True,
    "ASSAY_STORAGE_URI": True,
    "ASSAY_MLFLOW_TRACKING_URI": True,
    "ASSAY_S3_ENDPOINT_URL": False,
    "ASSAY_S3_REGION": False,
    "MLFLOW_TRACKING_USERNAME": False,
    "MLFLOW_TRACKING_PASSWORD": False,
    "AWS_ACCESS_KEY_ID": False,
    "AWS_SECRET_ACCESS_KEY": False,
}
"""Keys of the secret, which are variables of the container, and whether the endpoint needs each."""


class InferenceService(Spec):
    """What differs between InferenceServices of pipelines."""

    pipeline: str = Field(min_length=1)
    """The pipeline."""
    name: str = Field(pattern=_NAME)
    """Of the InferenceService, and part of its address."""
    namespace: str | None = Field(default=None, pattern=_NAME)
    """The present one of kubectl unless set."""
    image: str | None = Field(default=None, pattern=_IMAGE)
    """The platform's image; with `storage_uri` one that replaces the runtime's."""
    version: int | None = Field(default=None, ge=1)
    """Registered version that is served in place of the champion of the day, so that another version is another
    revision, to which traffic can be shifted."""
    storage_uri: str | None = Field(default=None, pattern=r"^[a-z0-9]+://[^\s@]+$")
    """Files of a registered version, for KServe's own MLflow runtime (MLServer); without it the platform's endpoint
    serves."""
    canary: int | None = Field(default=None, ge=0, le=100)
    """Percentage of the requests that the newest revision gets; the one before it gets the others."""
    min_replicas: int = Field(default=2, ge=0)
    """Fewest replicas; 0 lets an idle service end."""
    max_replicas: int = Field(default=6, ge=1)
    """Most replicas."""
    processes: int = Field(default=2, ge=1, le=64)
    """Processes of the endpoint in a replica, each with a core."""
    secret: str = Field(pattern=_NAME)
    """Secret with keys and addresses, see `SECRETS`."""
    environment: str | None = None
    """Environment of the pipeline files."""

    @model_validator(mode="after")
    def _is_servable(self) -> Self:
        if self.max_replicas < self.min_replicas:
            raise invalid(f"at least {self.min_replicas}, the fewest", "max_replicas", value=self.max_replicas)
        if self.image is None and self.storage_uri is None:
            raise invalid("an image, or the address of a model's files", "image", value=None)
        if self.version is not None and self.storage_uri is not None:
            raise invalid("a version, or the address of a model's files", "version", value=self.version)
        return self

    @classmethod
    def name_of(cls, registered_name: str) -> str:
        """Return the name of the InferenceService of a registered model."""
        return registered_name.lower().replace("_", "-").replace(".", "-")


def manifest_of(service: InferenceService) -> dict[str, Any]:
    """Return the manifest."""
    predictor: dict[str, Any] = {
        "minReplicas": service.min_replicas,
        "maxReplicas": service.max_replicas,
        "timeout": 60,
        "automountServiceAccountToken": False,
    }
    if service.canary is not None:
        predictor["canaryTrafficPercent"] = service.canary
    predictor |= _of_runtime(service) if service.storage_uri is not None else _of_endpoint(service)
    metadata: dict[str, Any] = {
        "name": service.name,
        "labels": {"app.kubernetes.io/part-of": "assay", "app.kubernetes.io/name": service.name},
        # shares of traffic are of Knative's revisions
        "annotations": {"serving.kserve.io/deploymentMode": "Knative"},
    }
    if service.namespace is not None:
        metadata["namespace"] = service.namespace
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": metadata,
        "spec": {"predictor": predictor},
    }


def manifest_text(service: InferenceService) -> str:
    """Return the manifest as YAML."""
    import yaml

    text: str = yaml.safe_dump(manifest_of(service), sort_keys=False, allow_unicode=True, width=120)
    return text


def _of_endpoint(service: InferenceService) -> dict[str, Any]:
    """Return the part with the platform's own endpoint."""
    arguments = ["serve", service.pipeline, "--host", "0.0.0.0", "--port", str(_PORT)]  # noqa: S104 - with keys
    container = {
        "name": "kserve-container",
        "image": service.image,
        "command": ["assay"],
        "args": [*arguments, "--processes", str(service.processes)],
        "ports": [{"containerPort": _PORT, "protocol": "TCP"}],
        "env": [*_plain_variables(service), *(_secret_variable(name, service.secret) for name in SECRETS)],
        "startupProbe": _probe("/health", period=5, failures=60),
        "livenessProbe": _probe("/health", period=10, failures=3),
        "readinessProbe": _probe("/ready", period=5, failures=3),
        "resources": _resources(service.processes),
        "securityContext": _SECURITY,
        "volumeMounts": [{"name": "scratch", "mountPath": _SCRATCH}],
    }
    return {
        "containerConcurrency": _REQUESTS_OF_A_PROCESS * service.processes,
        "containers": [container],
        "volumes": [{"name": "scratch", "emptyDir": {"sizeLimit": "2Gi"}}],
    }


def _of_runtime(service: InferenceService) -> dict[str, Any]:
    """Return the part with KServe's MLflow runtime."""
    model: dict[str, Any] = {
        "modelFormat": {"name": "mlflow"},
        "protocolVersion": "v2",
        "storageUri": service.storage_uri,
        "resources": _resources(service.processes),
        "securityContext": _SECURITY_OF_RUNTIME,
        "env": [{"name": "MLSERVER_PARALLEL_WORKERS", "value": str(service.processes)}],
    }
    if service.image is not None:
        model["image"] = service.image
    return {"model": model}


def _plain_variables(service: InferenceService) -> list[dict[str, str]]:
    values = {"HOME": _SCRATCH, "TMPDIR": _SCRATCH, "ASSAY_HOME": f"{_SCRATCH}/assay"}
    if service.version is not None:
        values["ASSAY_SERVE_VERSION"] = str(service.version)
    if service.environment is not None:
        values["ASSAY_ENVIRONMENT"] = service.environment
    return [{"name": name, "value": value} for name, value in values.items()]


def _secret_variable(name: str, secret: str) -> dict[str, Any]:
    reference: dict[str, Any] = {"name": secret, "key": name}
    if not SECRETS[name]:
        reference["optional"] = True
    return {"name": name, "valueFrom": {"secretKeyRef": reference}}


def _probe(path: str, *, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": _PORT},
        "periodSeconds": period,
        "timeoutSeconds": 4,
        "failureThreshold": failures,
    }


def _resources(processes: int) -> dict[str, Any]:
    amounts = {"cpu": str(processes), "memory": f"{_MEMORY_OF_A_PROCESS * processes}Mi"}
    return {"requests": dict(amounts), "limits": dict(amounts)}


_SECURITY_OF_RUNTIME: dict[str, Any] = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
_SECURITY = {"runAsUser": _USER, "readOnlyRootFilesystem": True} | _SECURITY_OF_RUNTIME
