"""The schema of KServe's InferenceService, as its CRD publishes it.

`python tests/support/kserve_schema.py CRD.yaml` makes the file from
`charts/kserve-crd/templates/serving.kserve.io_inferenceservices.yaml` of https://github.com/kserve/kserve; see
`tests/support/kserve/README.md`.
"""

import functools
import json
import sys
from pathlib import Path

import jsonschema
import yaml

FILE = Path(__file__).parent / "kserve" / "inferenceservice.schema.json"
_FOR_PEOPLE = {"description", "x-kubernetes-list-map-keys", "x-kubernetes-list-type", "x-kubernetes-map-type"}
_PREDICTOR = {
    "annotations",
    "automountServiceAccountToken",
    "canaryTrafficPercent",
    "containerConcurrency",
    "containers",
    "labels",
    "maxReplicas",
    "minReplicas",
    "model",
    "serviceAccountName",
    "timeout",
    "volumes",
}
_VOLUMES = {"name", "emptyDir", "secret", "configMap", "persistentVolumeClaim"}


def problems_of(manifest):
    """Return what `kubectl apply --validate=strict` refuses by the schema; unknown fields are refused."""
    return [
        f"{error.json_path}: {error.message[:200]}"
        for error in jsonschema.Draft202012Validator(_closed_schema()).iter_errors(manifest)
    ]


@functools.cache
def _closed_schema():
    return _closed(json.loads(FILE.read_text()))


def _closed(node):
    if isinstance(node, list):
        return [_closed(each) for each in node]
    if not isinstance(node, dict):
        return node
    made = {name: _closed(each) for name, each in node.items()}
    known = isinstance(node.get("properties"), dict) and node.get("type") == "object"
    if known and "additionalProperties" not in node and not node.get("x-kubernetes-preserve-unknown-fields"):
        made["additionalProperties"] = False
    return made


def _reduced(crd):
    """Return the schema of what a manifest may say here, without texts for people."""
    root = _without_texts(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    predictor = root["properties"]["spec"]["properties"]["predictor"]
    predictor["properties"] = {name: predictor["properties"][name] for name in sorted(_PREDICTOR)}
    volume = predictor["properties"]["volumes"]["items"]
    volume["properties"] = {name: volume["properties"][name] for name in sorted(_VOLUMES)}
    root["properties"]["spec"]["properties"] = {"predictor": predictor}
    del root["properties"]["status"]
    return root


def _without_texts(node, *, names=False):
    if isinstance(node, list):
        return [_without_texts(each) for each in node]
    if not isinstance(node, dict):
        return node
    kept = {name: each for name, each in node.items() if names or name not in _FOR_PEOPLE}
    return {name: _without_texts(each, names=name == "properties" and not names) for name, each in kept.items()}


if __name__ == "__main__":
    made = _reduced(yaml.safe_load(Path(sys.argv[1]).read_text()))
    FILE.write_text(json.dumps(made, separators=(",", ":"), sort_keys=True) + "\n")
