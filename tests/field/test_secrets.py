"""Reports on secrets that came to be read: in variables, events, MLflow and copies of files."""

import json
import stat

import pytest
from small_platform import BANK, bank_rows, failure, write_csv

from assay import credentials
from assay.credentials import redacted
from assay.errors import SourceError, SpecError
from assay.shell.main import Exit, main
from assay.specs.loading import parse_pipeline
from assay.specs.overrides import parse_overrides
from definitions import build_definitions
from resources.run_policy import RunPolicy
from resources.sources.opening import expand_source


def spec_of(source):
    return parse_pipeline(BANK.format(source=source), where="bank.yaml")


@pytest.mark.parametrize(
    "name",
    [
        "ASSAY_NOTIFY_SLACK_URL",
        "ASSAY_NOTIFY_SMTP_URL",
        "ASSAY_SQL_WAREHOUSE",
        "assay_sql_warehouse",
        "ASSAY_MLFLOW_TRACKING_URI",
        "DB_PW",
        "DB_PWD",
        "GITHUB_PAT",
        "STRIPE_SK",
        "MY_CREDS",
        "OPENAI_KEY",
        "SENTRY_DSN",
        "SLACK_WEBHOOK",
        "BEARER",
        "APP_SALT",
        "ENCRYPTION_MASTER",
        "HMAC_SEED",
        "AWS_REGION",
        "MLFLOW_TRACKING_USERNAME",
    ],
)
def test_settings_and_secrets_of_the_deployment_are_not_filled_in(name):
    """`${ASSAY_NOTIFY_SLACK_URL}`, `${ASSAY_SQL_*}`, `${DB_PW}` and `${OPENAI_KEY}` expanded into any host's address."""
    with pytest.raises(SourceError, match="may not hold a secret") as refused:
        expand_source("https://example.org/${" + name + "}", {name: "hunter2-hunter2"}, None)
    assert "hunter2" not in str(refused.value)
    assert "ASSAY_SOURCE_" in refused.value.remedy


@pytest.mark.parametrize("value", ["postgres://u:hunter2@db/x", "redis://:hunter2@cache", "http://hunter2@proxy:8080"])
@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL", "https_proxy"])
def test_a_variable_whose_value_holds_a_password_is_not_filled_in(name, value):
    """No word of `DATABASE_URL` says so."""
    with pytest.raises(SourceError, match="may not hold a secret") as refused:
        expand_source("https://example.org/${" + name + ":-none}", {name: value}, None)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("name", ["ASSAY_SOURCE_BANK", "BANK_MARKETING_SOURCE", "PWD", "DATA_DIR"])
def test_variables_for_sources_are_filled_in(name):
    assert expand_source("${" + name + "}/x.csv", {name: "/srv/in"}, None) == "/srv/in/x.csv"


def test_what_a_variable_stands_for_is_in_no_event(platform, tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_SOURCE_FIELD_FOLDER", str(tmp_path / "vault-7f3a"))
    write_csv(tmp_path / "vault-7f3a" / "bank.csv", bank_rows())
    platform.pipeline(BANK, "${ASSAY_SOURCE_FIELD_FOLDER}/bank.csv")
    result = platform.materialize("bank/raw_dataset")
    assert result.success
    assert "vault-7f3a" not in str([event.event_specific_data for event in result.all_events])
    (tmp_path / "vault-7f3a" / "bank.csv").unlink()
    result = platform.materialize("bank/raw_dataset")
    assert "${ASSAY_SOURCE_FIELD_FOLDER}" in failure(result)
    assert "vault-7f3a" not in failure(result)


def test_signed_urls_and_users_are_redacted_everywhere_in_a_spec():
    """Signed URLs lay in `pipeline_spec.json`."""
    spec = {
        "dataset": {"source": "https://ann:hunter2@h.example.org/a/rows.csv?sig=hunter2&se=1#hunter2"},
        "also": ["s3://bucket/key?X-Amz-Signature=hunter2", 1, None, "select a from t where b = '?'"],
    }
    assert redacted(spec) == {
        "dataset": {"source": "https://h.example.org/a/rows.csv"},
        "also": ["s3://bucket/key", 1, None, "select a from t where b = '?'"],
    }


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o400, 0o666])
def test_a_copy_of_a_refused_file_is_no_more_readable_than_the_file(platform, tmp_path, mode):
    source = tmp_path / "ragged.csv"
    source.write_text("id,age,job,loan,since,note,secret,y\nc1,30\n")
    source.chmod(mode)
    platform.pipeline(BANK, source)
    assert not platform.materialize("bank/raw_dataset").success
    [copy] = (tmp_path / "home").rglob("@quarantine/*/data")
    for name in ("data", "refusal.json"):
        assert stat.S_IMODE(copy.with_name(name).stat().st_mode) & ~mode == 0
    assert json.loads(copy.with_name("refusal.json").read_text())["defect"] == "ragged_row"


SIGNED = [
    "https://ann:hunter2@h.example.org/rows.csv",
    "s3://ann:hunter2@bucket/rows.csv",
    "https://h.example.org/rows.csv?sv=2022&sig=hunter2%3D",
    "https://h.example.org/rows.csv?X-Amz-Credential=hunter2&X-Amz-Expires=60",
    "https://h.example.org/rows.csv?X-Goog-Signature=hunter2",
    "https://h.example.org/rows.csv?AWSAccessKeyId=A&Signature=hunter2",
    "https://h.example.org/rows.csv?access_token=hunter2",
    "https://h.example.org/rows.csv?key=hunter2",
    "https://h.example.org/rows.csv#token=hunter2",
    "https://h.example.org/rows.csv?s=" + "hunter2" * 6,
]


@pytest.mark.parametrize("parameter", ["data_source", "target_output_path"])
@pytest.mark.parametrize("address", SIGNED)
def test_a_run_is_given_no_signed_address(parameter, address, tmp_path):
    """A signed URL as `data_source` stays in clear text in Dagster's databases and pages."""
    overrides = parse_overrides({parameter: address}, where="x")
    with pytest.raises(SpecError, match="holds credentials or a signature") as refused:
        RunPolicy(roots=("https://h.example.org", "s3://bucket")).require(overrides, spec_of("bank.csv"), where="x")
    assert "hunter2" not in str(refused.value)
    assert "ASSAY_SOURCE_NAME" in refused.value.remedy


@pytest.mark.parametrize(
    "query", ["", "?format=csv&design=2", "?id=550e8400-e29b-41d4-a716-446655440000", "?monkey=1#signal"]
)
def test_a_run_may_name_an_address_with_an_ordinary_query(query):
    overrides = parse_overrides({"data_source": f"https://h.example.org/rows.csv{query}"}, where="x")
    RunPolicy(roots=("https://h.example.org",)).require(overrides, spec_of("bank.csv"), where="x")


def test_a_run_reads_no_variable_by_dagsters_own_way(platform, tmp_path, monkeypatch):
    """`{env: NAME}` in run config stood for any variable, and the refusal of the address showed its value."""
    monkeypatch.setenv("DB_PW", "hunter2-hunter2")
    platform.pipeline(BANK, write_csv(tmp_path / "bank.csv", bank_rows()))
    result = platform.materialize("bank/raw_dataset", parameters={"data_source": {"env": "DB_PW"}})
    assert "the run config reads a variable of the environment" in failure(result)
    assert "hunter2" not in str([event.event_specific_data for event in result.all_events])


def test_a_column_may_be_called_env():
    ranges = {"resources": {"run_parameters": {"config": {"data_validation": {"ranges": {"env": {"min": 0}}}}}}}
    RunPolicy().require_config(ranges, where="x")


def test_a_process_that_read_no_source_masks_its_variables_too(platform, tmp_path, monkeypatch):
    """Each step of the executors forkserver and multiprocess is a process of its own."""
    monkeypatch.setenv("ASSAY_SOURCE_FIELD_FOLDER", str(tmp_path / "vault-9b1c"))
    monkeypatch.setenv("ASSAY_SOURCE_FIELD_LATER", str(tmp_path / "vault-2d4e"))
    text = BANK + "scoring: {{source: '${{ASSAY_SOURCE_FIELD_LATER:-none}}/later.csv'}}\n"
    platform.pipeline(text, "${ASSAY_SOURCE_FIELD_FOLDER}/bank.csv")
    monkeypatch.setattr(credentials, "_masked", {})  # as in a new process
    build_definitions(platform.settings)
    shown = redacted(f"{tmp_path}/vault-9b1c/bank.csv {tmp_path}/vault-2d4e")
    assert shown == "${ASSAY_SOURCE_FIELD_FOLDER}/bank.csv ${ASSAY_SOURCE_FIELD_LATER}"


@pytest.mark.parametrize("name", ["ASSAY_NOTIFY_SLACK_URL", "DB_PW", "AWS_SECRET_ACCESS_KEY"])
def test_the_shell_fills_in_no_secret(name, tmp_path, monkeypatch, capsys):
    """The user of the shell is the author of its addresses; the names that are refused are the same."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, "hunter2-hunter2")
    address = "https://example.org/${" + name + "}"
    assert main(["validate", "--dataset-path", address, "--target-column", "y", "--report-uri", "r.json"]) != Exit.DONE
    printed = "".join(capsys.readouterr())
    assert "may not hold a secret" in printed
    assert "hunter2" not in printed
