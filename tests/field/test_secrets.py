"""Reports on secrets that came to be read: in variables, events, MLflow and copies of files."""

import json
import stat

import pytest
from small_platform import BANK, bank_rows, failure, write_csv

from assay.credentials import redacted
from assay.errors import SourceError
from resources.sources.opening import expand_source


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
        "OPENAI_KEY",
        "SENTRY_DSN",
        "SLACK_WEBHOOK",
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
    assert stat.S_IMODE(copy.stat().st_mode) & ~mode == 0
    assert json.loads(copy.with_name("refusal.json").read_text())["defect"] == "ragged_row"
