"""What the composed deployment is, without Docker: its file against the image, the settings and the endpoints."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml
from dockerfile import stages_of

from resources.settings import Settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "compose"
TEXT = (FOLDER / "compose.yaml").read_text()
SERVICES = yaml.safe_load(TEXT)["services"]
OURS = {name: each for name, each in SERVICES.items() if "ASSAY_IMAGE" in each["image"]}
LASTING = {name: each for name, each in SERVICES.items() if each["restart"] != "no"}
EXAMPLE = dict(re.findall(r"^(\w+)=(.*)$", (FOLDER / ".env.example").read_text(), re.MULTILINE))
VARIABLES = re.findall(r"\$\{(\w+)(?::([-?])([^}]*))?\}", TEXT)
USER = next(word for word in stages_of(ROOT / "Dockerfile")[-1].last("USER").words)


@pytest.mark.parametrize(
    "path", [FOLDER / "compose.yaml", ROOT / "tests" / "deploy" / "compose.yaml"], ids=["shipped", "small images"]
)
def test_the_file_is_as_the_compose_specification_says(path):
    schema = json.loads((ROOT / "tests" / "deploy" / "compose-spec.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(yaml.safe_load(path.read_text()))


def test_passwords_have_no_default_and_nothing_starts_without():
    secret = {name for name, *_ in VARIABLES if re.search("PASSWORD|KEYS", name)}
    assert {"POSTGRES_PASSWORD", "S3_PASSWORD", "ASSAY_SERVE_KEYS"} <= secret
    assert {sign for name, sign, _ in VARIABLES if name in secret} == {"?"}
    assert {EXAMPLE[name] for name in secret} == {""}
    in_addresses = re.findall(r"://\w+:(\$\{\w+:\?|[^@\s]*@)", TEXT)
    assert in_addresses == ["${DAGSTER_DB_PASSWORD:?", "${MLFLOW_DB_PASSWORD:?"]


def test_the_example_has_every_variable_with_the_default_of_the_file():
    assert EXAMPLE.keys() == {"COMPOSE_PROJECT_NAME", *(name for name, *_ in VARIABLES)}
    defaults = {name: default for name, sign, default in VARIABLES if sign == "-"}
    assert {name: EXAMPLE[name] for name in defaults} == defaults | {"ASSAY_IMAGE": "assay:latest"}


def test_what_is_set_for_the_platform_is_a_setting_of_it():
    other = {"ASSAY_DAGSTER_POSTGRES_URL", "ASSAY_COMPUTE_LOGS_BUCKET", "ASSAY_UI_HOST"}  # Dagster's and the image's
    known = {f"ASSAY_{name.upper()}" for name in Settings.model_fields} | other
    given = {name for each in OURS.values() for name in each.get("environment", {}) if name.startswith("ASSAY_")}
    assert given - known == set()
    read = set(re.findall(r"env: (\w+)", (FOLDER / "dagster.yaml").read_text()))
    assert all(read <= OURS[name]["environment"].keys() for name in ("webserver", "webserver-viewer", "daemon", "code"))


def test_only_the_proxy_has_ports_and_they_bind_this_machine_unless_set():
    assert [name for name, each in SERVICES.items() if "ports" in each] == ["proxy"]
    assert all(port.startswith("${ASSAY_BIND:-127.0.0.1}:") for port in SERVICES["proxy"]["ports"])


def test_no_container_keeps_rights_that_it_does_not_need():
    for each in SERVICES.values():
        assert each["read_only"] is True
        assert each["cap_drop"] == ["ALL"]
        assert each["security_opt"] == ["no-new-privileges:true"]
    roots = [name for name, each in SERVICES.items() if each.get("user", USER).partition(":")[0] in ("0", "root")]
    assert roots == ["volumes"]
    assert SERVICES["volumes"]["cap_add"] == ["CHOWN"]
    assert SERVICES["volumes"]["network_mode"] == "none"


def test_each_role_has_a_health_check_of_its_own():
    checks = {name: " ".join(each["healthcheck"]["test"]) for name, each in LASTING.items()}
    assert "liveness-check" in checks["daemon"]
    assert "grpc-health-check" in checks["code"]
    for name, address in {
        "webserver": ":3000/server_info",
        "webserver-viewer": ":3000/server_info",
        "serve": ":8000/health",
        "mlflow": ":5000/health",
        "reports": ":8090/",
    }.items():
        assert address in checks[name]
    assert not stages_of(ROOT / "Dockerfile")[-1].all("HEALTHCHECK"), "one check fits no two roles"


def test_what_is_mounted_is_shipped_or_named_by_a_setting():
    mounts = [mount for each in SERVICES.values() for mount in each.get("volumes", []) if mount.startswith("./")]
    assert mounts
    missing = {mount.partition(":")[0] for mount in mounts if not (FOLDER / mount.partition(":")[0]).exists()}
    assert missing <= {"./people"}
    assert all(mount.endswith(":ro") for mount in mounts)


def test_what_is_kept_is_in_named_volumes():
    kept = yaml.safe_load(TEXT)["volumes"].keys()
    mounted = {
        mount.partition(":")[0]
        for name in LASTING
        for mount in SERVICES[name].get("volumes", [])
        if mount[0] not in "./$"
    }
    assert mounted == kept
    owned = re.findall(r"chown (\d+):\d+ /volumes/(\w+)", SERVICES["volumes"]["command"][-1])
    users = {SERVICES[name].get("user", USER).partition(":")[0] for name in ("code", "proxy", "s3", "postgres")}
    assert {user for user, _ in owned} == users
    given = {mount.partition(":")[2] for mount in SERVICES["volumes"]["volumes"]}
    assert given == {f"/volumes/{name}" for _, name in owned}
    assert {mount.partition(":")[0] for mount in SERVICES["volumes"]["volumes"]} == kept


def test_the_workspace_names_the_service_of_the_code_and_its_port():
    [location] = yaml.safe_load((FOLDER / "workspace.yaml").read_text())["load_from"]
    server = location["grpc_server"]
    command = SERVICES[server["host"]]["command"]
    assert command[command.index("-p") + 1] == str(server["port"])
    assert command[command.index("--location-name") + 1] == server["location_name"]


def test_the_proxy_reaches_services_that_exist_and_keeps_viewers_on_the_read_only_webserver():
    text = (FOLDER / "Caddyfile").read_text()
    upstreams = re.findall(r"reverse_proxy (?:@(\w+) )?([\w-]+):(\d+)", text)
    assert {name for _, name, _ in upstreams} <= SERVICES.keys()
    assert {name: role for role, name, port in upstreams if port == "3000"} == {
        "webserver": "launcher",
        "webserver-viewer": "",
    }
    coordinator = yaml.safe_load((FOLDER / "dagster.yaml").read_text())["run_coordinator"]
    believed = f"header_up {coordinator['config']['user_header']} {{http.auth.user.id}}"
    assert text.count(believed) == 2, "the proxy replaces what a client says of itself"
    assert "--read-only" in SERVICES["webserver-viewer"]["command"]
    assert "--read-only" not in SERVICES["webserver"]["command"]
    assert {port.rpartition(":")[2] for port in SERVICES["proxy"]["ports"]} == {port for _, _, port in upstreams}


def test_the_instance_differs_from_the_checkouts_in_storage_logs_and_who_is_believed():
    ours, base = (yaml.safe_load(path.read_text()) for path in (FOLDER / "dagster.yaml", ROOT / "dagster.yaml"))
    assert {key for key in ours.keys() | base.keys() if ours.get(key) != base.get(key)} <= {
        "storage",
        "compute_logs",
        "python_logs",
        "run_coordinator",
    }


@pytest.mark.parametrize(
    ("name", "password", "says"),
    [("an na", "a long password", "letters, digits"), ("anna", "short", "12 characters"), ("", "", "usage")],
)
def test_somebody_who_cannot_be_added_leaves_the_file_as_it_was(tmp_path, name, password, says):
    shutil.copy(FOLDER / "add-person", tmp_path)
    added = added_person(tmp_path, name, password)
    assert added.returncode != 0
    assert says in added.stderr
    assert not (tmp_path / "people").exists()


def test_a_person_who_is_added_again_has_the_new_password_alone(tmp_path):
    for name in ("add-person", "compose.yaml"):
        shutil.copy(FOLDER / name, tmp_path)
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text('#!/bin/sh\necho "$*" > "$(dirname "$0")/asked"\nread -r given\necho "hash-of-$given"\n')
    docker.chmod(0o755)
    for name, password in [("anna", "first password"), ("ann", "another password"), ("anna", "second password")]:
        assert added_person(tmp_path, name, password).returncode == 0
    assert (tmp_path / "people").read_text() == "ann hash-of-another password\nanna hash-of-second password\n"
    assert SERVICES["proxy"]["image"] in (docker.parent / "asked").read_text().split()


def added_person(folder: Path, name: str, password: str):
    """Run `add-person` of a folder, with its `bin` first on the path."""
    return subprocess.run(
        [folder / "add-person", name],
        input=f"{password}\n",
        env={"PATH": f"{folder / 'bin'}:{os.defpath}"},
        capture_output=True,
        text=True,
        check=False,
    )
