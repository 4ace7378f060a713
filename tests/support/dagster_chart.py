"""What Dagster's chart takes of our values: names of values, and how it hands the launcher's to Dagster.

The names are those of the chart's schema (`helm/dagster/schema` of https://github.com/dagster-io/dagster), as far as
our values use them.
"""

import re
from typing import Any

ANY = None
"""A value whose own schema is checked elsewhere: Kubernetes' or Dagster's."""
_IMAGE = {"repository": ANY, "tag": ANY, "pullPolicy": ANY}
_POD = dict.fromkeys(
    (
        "affinity", "annotations", "env", "envConfigMaps", "envSecrets", "labels", "livenessProbe", "nodeSelector",
        "podSecurityContext", "readinessProbe", "resources", "schedulerName", "securityContext", "startupProbe",
        "tolerations", "volumeMounts", "volumes",
    )
)  # fmt: skip
NAMES: dict[str, Any] = {
    "global": dict.fromkeys(("postgresqlSecretName", "dagsterHome", "serviceAccountName", "celeryConfigSecretName")),
    "generatePostgresqlPasswordSecret": ANY,
    "postgresql": dict.fromkeys(
        ("enabled", "postgresqlHost", "postgresqlUsername", "postgresqlPassword", "postgresqlDatabase", "service")
    ),
    "dagsterWebserver": {
        **_POD, "image": _IMAGE, "replicaCount": ANY, "service": dict.fromkeys(("type", "port", "annotations")),
        "enableReadOnly": ANY, "pathPrefix": ANY,
    },
    "dagsterDaemon": {
        **_POD, "image": _IMAGE, "enabled": ANY, "heartbeatTolerance": ANY,
        "runCoordinator": {
            "enabled": ANY, "type": ANY,
            "config": {"queuedRunCoordinator": dict.fromkeys(("maxConcurrentRuns", "tagConcurrencyLimits"))},
        },
        "runMonitoring": dict.fromkeys(
            ("enabled", "startTimeoutSeconds", "cancelTimeoutSeconds", "maxResumeRunAttempts", "pollIntervalSeconds")
        ),
        "runRetries": dict.fromkeys(("enabled", "maxRetries")),
    },
    "dagster-user-deployments": {
        "enabled": ANY, "enableSubchart": ANY, "imagePullSecrets": ANY,
        "deployments": [
            {
                **_POD, "name": ANY, "image": _IMAGE, "port": ANY, "dagsterApiGrpcArgs": ANY, "codeServerArgs": ANY,
                "includeConfigInLaunchedRuns": {"enabled": ANY},
            }
        ],
    },
    "runLauncher": {
        "type": ANY,
        "config": {
            "k8sRunLauncher": {
                **dict.fromkeys(
                    (
                        "imagePullPolicy", "jobNamespace", "loadInclusterConfig", "kubeconfigFile", "envConfigMaps",
                        "envSecrets", "envVars", "volumeMounts", "volumes", "labels", "failPodOnRunFailure",
                        "resources", "schedulerName", "securityContext",
                    )
                ),
                "runK8sConfig": dict.fromkeys(
                    ("containerConfig", "podSpecConfig", "podTemplateSpecMetadata", "jobSpecConfig", "jobMetadata")
                ),
            }
        },
    },
    "computeLogManager": {
        "type": ANY,
        "config": {
            "s3ComputeLogManager": dict.fromkeys(
                (
                    "bucket", "endpointUrl", "localDir", "prefix", "region", "skipEmptyFiles", "uploadInterval",
                    "useSsl", "verify", "verifyCertPath", "uploadExtraArgs", "showUrlOnly",
                )
            )
        },
    },
    "additionalInstanceConfig": ANY,
    "telemetry": {"enabled": ANY},
}  # fmt: skip


def unknown_names(values: Any, names: Any = NAMES, path: str = "") -> list[str]:
    """Return the values that the chart would not read."""
    if names is ANY:
        return []
    if isinstance(names, list):
        return [
            each for n, value in enumerate(values) for each in unknown_names(value, names[0], f"{path}[{n}]")
        ]  # fmt: skip
    found = [f"{path}.{name}".lstrip(".") for name in values if name not in names]
    for name in values.keys() & names.keys():
        found += unknown_names(values[name], names[name], f"{path}.{name}")
    return found


def in_dagsters_words(config: dict[str, Any]) -> dict[str, Any]:
    """Return a part of the values as the chart writes it to dagster.yaml, where names have underscores."""
    return {re.sub(r"(?<=[a-z])(8?[A-Z])", lambda one: _lower(one[0]), name): each for name, each in config.items()}


def _lower(name: str) -> str:
    return f"8_{name[1:].lower()}" if name.startswith("8") else f"_{name.lower()}"
