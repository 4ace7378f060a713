"""Manifests for KServe: valid by its published schema, closed to secrets, and refused where a flag is wrong."""

import copy
import itertools
from pathlib import Path

import pytest
import yaml
from kserve_schema import problems_of

from assay.errors import SpecError
from assay.serving.kserve import SECRETS, InferenceService, manifest_of, manifest_text
from assay.shell.main import parse
from assay.specs import PipelineSpec
from ml_assets.commands.deploy import service_of
from resources.settings import Settings

IMAGE = "registry.example.org:5000/team/assay@sha256:" + "0" * 64
STORAGE = "s3://models/flats/models/m-1/artifacts"


def service(**changed):
    given = {"pipeline": "flats", "name": "flats", "secret": "flats-serving", "image": IMAGE}
    return InferenceService(**(given | changed))


def pipeline(name="flats"):
    document = {"name": name, "task": "regression", "dataset": {"source": "x.csv", "target": "rent"}}
    return PipelineSpec.model_validate(document, strict=False)


def asked(*flags, spec=None, environment=""):
    return service_of(parse(["deploy", "kserve", "flats", *flags]), spec or pipeline(), environment)


@pytest.mark.parametrize("storage_uri", [None, STORAGE])
def test_every_manifest_keeps_the_published_schema(storage_uri):
    for canary, minimum, namespace, environment in itertools.product(
        (None, 0, 10, 100), (0, 3), (None, "ml"), (None, "eu")
    ):
        for version in (None, 7) if storage_uri is None else (None,):
            asked_for = service(
                canary=canary, min_replicas=minimum, namespace=namespace, environment=environment, version=version,
                storage_uri=storage_uri,
            )  # fmt: skip
            text = manifest_text(asked_for)
            assert problems_of(yaml.safe_load(text)) == []
            assert "&id" not in text


def _set(path, value):
    def change(manifest):
        for name in path[:-1]:
            manifest = manifest[name]
        manifest[path[-1]] = value

    return change


CONTAINER = ("spec", "predictor", "containers", 0)
BROKEN = {
    "a field of no version": _set(("spec", "predictor", "canaryTraffic"), 10),
    "a text for a number": _set(("spec", "predictor", "canaryTrafficPercent"), "10"),
    "a number for a text": _set((*CONTAINER, "env", 0, "value"), 8),
    "a misspelt probe": _set((*CONTAINER, "readynessProbe"), {}),
    "a probe of two ports": _set((*CONTAINER, "readinessProbe", "httpGet", "port"), [8080, 8081]),
    "a mount without a path": _set((*CONTAINER, "volumeMounts"), [{"name": "scratch"}]),
    "a secret without its key": _set(
        (*CONTAINER, "env", 4), {"name": "X", "valueFrom": {"secretKeyRef": {"name": "s"}}}
    ),
    "no object of resources": _set((*CONTAINER, "resources"), "2"),
    "a specification of nothing": _set(("spec", "predictors"), {}),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_manifest_is_refused(case):
    manifest = copy.deepcopy(manifest_of(service()))
    BROKEN[case](manifest)
    assert problems_of(manifest)


def test_what_the_container_may_do_is_least():
    predictor = manifest_of(service())["spec"]["predictor"]
    [container] = predictor["containers"]
    limits = container["securityContext"]
    assert limits["runAsNonRoot"]
    assert limits["runAsUser"] > 0
    assert limits["readOnlyRootFilesystem"]
    assert not limits["allowPrivilegeEscalation"]
    assert limits["capabilities"] == {"drop": ["ALL"]}
    assert not predictor["automountServiceAccountToken"]
    values = {each["name"]: each.get("value", "") for each in container["env"]}
    [mount] = container["volumeMounts"]
    assert {values[name].partition("/assay")[0] for name in ("HOME", "TMPDIR", "ASSAY_HOME")} == {mount["mountPath"]}
    assert [volume["name"] for volume in predictor["volumes"]] == [mount["name"]]


def test_keys_and_addresses_come_from_the_secret():
    [container] = manifest_of(service(secret="mine"))["spec"]["predictor"]["containers"]
    found = {each["name"]: each for each in container["env"] if each["name"] in SECRETS}
    assert set(found) == set(SECRETS)
    assert not any("value" in each for each in found.values())
    references = {name: each["valueFrom"]["secretKeyRef"] for name, each in found.items()}
    assert {each["name"] for each in references.values()} == {"mine"}
    assert {name for name, each in references.items() if not each.get("optional")} == {
        "ASSAY_SERVE_KEYS", "ASSAY_STORAGE_URI", "ASSAY_MLFLOW_TRACKING_URI",
    }  # fmt: skip


def test_variables_are_settings_of_the_platform():
    [container] = manifest_of(service(version=3, environment="eu"))["spec"]["predictor"]["containers"]
    own = {each["name"] for each in container["env"] if each["name"].startswith("ASSAY_")}
    assert len(own) >= 7
    assert own <= {f"ASSAY_{name.upper()}" for name in Settings.model_fields}
    elsewhere = {each["name"].partition("_")[0] for each in container["env"]} - {"ASSAY"}
    assert elsewhere == {"HOME", "TMPDIR", "AWS", "MLFLOW"}


def test_probes_ask_what_the_endpoint_answers():
    [container] = manifest_of(service())["spec"]["predictor"]["containers"]
    [port] = container["ports"]
    paths = {name: container[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert paths == {"startupProbe": "/health", "livenessProbe": "/health", "readinessProbe": "/ready"}
    assert container["args"][container["args"].index("--port") + 1] == str(port["containerPort"])


def test_a_canary_of_a_version_differs_by_version_and_share():
    before, after = manifest_text(service(version=7)), manifest_text(service(version=8, canary=10))
    lines = set(after.splitlines()) ^ set(before.splitlines())
    assert {line.strip() for line in lines} == {"canaryTrafficPercent: 10", "value: '7'", "value: '8'"}


def test_flags_say_what_is_served():
    found = asked("--image", IMAGE, "--version", "3", "--canary", "5", "--namespace", "ml", "--secret", "s",
                  spec=pipeline("green_taxis"), environment="eu")  # fmt: skip
    assert (found.name, found.pipeline, found.version, found.canary) == ("green-taxis", "green_taxis", 3, 5)
    assert (found.namespace, found.secret, found.environment) == ("ml", "s", "eu")
    assert asked("--image", IMAGE, "--service", "cheap-flats").secret == "cheap-flats-serving"
    assert asked("--storage-uri", STORAGE).image is None


@pytest.mark.parametrize(
    ("flags", "flag"),
    [
        ([], "--image"),
        (["--image", "two words"], "--image"),
        (["--image", IMAGE, "--max-replicas", "1"], "--max-replicas"),
        (["--image", IMAGE, "--storage-uri", "/mnt/models"], "--storage-uri"),
        (["--image", IMAGE, "--storage-uri", "s3://key:secret@models/x"], "--storage-uri"),
        (["--storage-uri", STORAGE, "--version", "3"], "--version"),
        (["--image", IMAGE, "--service", "With Capitals"], "--service"),
        (["--image", IMAGE, "--secret", "../x"], "--secret"),
    ],
)
def test_a_flag_that_is_wrong_is_named(flags, flag):
    with pytest.raises(SpecError) as refused:
        asked(*flags)
    assert refused.value.where == flag
    assert "dataset" not in refused.value.expected


def test_the_shipped_manifest_is_what_the_command_prints():
    folder = Path(__file__).resolve().parents[3] / "deploy" / "kserve"
    expected = manifest_text(
        InferenceService(
            pipeline="flight_delays", name="flight-delays", secret="flight-delays-serving",
            image="registry.example.org/assay:0.1.0",
        )
    )  # fmt: skip
    assert (folder / "flight_delays.yaml").read_text() == expected
