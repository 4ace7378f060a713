"""Secrets that no variable holds: from files, and from AWS Secrets Manager."""

import json
import logging

import boto3
import pytest
from moto import mock_aws

from assay.errors import SettingError
from resources import secrets
from resources.settings import Settings, documentation_site, source_environment, sql_connections

KEY = "the-key-of-the-endpoint"


@pytest.fixture(autouse=True)
def own_environment(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    secrets._of_aws.cache_clear()


@pytest.fixture
def stored(monkeypatch):
    """Return a function that keeps a text as the secret `assay/production` of a stand-in for AWS, and names it."""
    for name, value in {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b", "DEFAULT_REGION": "eu-west-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws():
        client = boto3.Session().client("secretsmanager")

        def store(text, name="assay/production"):
            arn = client.create_secret(Name=name, SecretString=text)["ARN"]
            monkeypatch.setenv("ASSAY_SECRETS_FROM", f"aws:{name}")
            return arn

        yield store


def written(folder, text, name="secret"):
    (folder / name).write_text(text)
    return str(folder / name)


def test_a_file_holds_a_setting(monkeypatch, tmp_path):
    monkeypatch.setenv("ASSAY_SERVE_KEYS_FILE", written(tmp_path, f"{KEY}\n"))
    (tmp_path / ".env").write_text("ASSAY_SERVE_KEYS=\n")
    assert Settings().keys_of_endpoint == (KEY,), "an empty variable is as none"
    assert KEY not in repr(Settings())


def test_a_file_holds_a_connection_and_one_may_be_called_so(monkeypatch, tmp_path):
    monkeypatch.setenv("ASSAY_SQL_LAKE_FILE", written(tmp_path, "postgresql://u:p@h/db"))
    monkeypatch.setenv("ASSAY_SQL_CSV_FILE", "duckdb:///rows.db")
    monkeypatch.setenv("ASSAY_SOURCE_ORDERS_FILE", "orders.csv")
    assert sql_connections() == {"lake": "postgresql://u:p@h/db", "csv_file": "duckdb:///rows.db"}
    assert source_environment()["ASSAY_SOURCE_ORDERS_FILE"] == "orders.csv"
    assert "ASSAY_SOURCE_ORDERS" not in source_environment()


def test_one_secret_of_aws_holds_settings_connections_and_variables_of_sources(monkeypatch, tmp_path, stored):
    given = {"ASSAY_SERVE_KEYS": KEY, "assay_sql_lake": "postgresql://u:p@h/db", "ASSAY_SOURCE_TOKEN": "abc"}
    arn = stored(json.dumps(given))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("ASSAY_SECRETS_FROM", f"aws:{arn}")
    assert Settings().keys_of_endpoint == (KEY,), "the address names the region"
    assert sql_connections() == {"lake": "postgresql://u:p@h/db"}
    assert source_environment()["ASSAY_SOURCE_TOKEN"] == "abc"


def test_a_variable_wins_over_a_file_and_a_file_over_aws(monkeypatch, tmp_path, stored):
    stored(json.dumps({"ASSAY_SERVE_KEYS": "of aws", "ASSAY_NOTIFY_SLACK_URL": "of aws", "ASSAY_NOTIFY_SMTP_URL": "a"}))
    monkeypatch.setenv("ASSAY_SERVE_KEYS", "of the variable")
    monkeypatch.setenv("ASSAY_NOTIFY_SLACK_URL_FILE", written(tmp_path, "of the file"))
    settings = Settings()
    assert settings.keys_of_endpoint == ("of the variable",)
    assert settings.notify_slack_url.get_secret_value() == "of the file"
    assert settings.notify_smtp_url.get_secret_value() == "a"
    assert Settings(serve_keys="of the call").keys_of_endpoint == ("of the call",)


def test_aws_is_asked_once_in_a_process(stored, monkeypatch):
    stored(json.dumps({"ASSAY_SERVE_KEYS": KEY}))
    asked = []
    monkeypatch.setattr(secrets, "_secret_text", lambda name: asked.append(name) or json.dumps({}))
    assert [Settings().keys_of_endpoint for _ in range(3)] == [()] * 3
    assert asked == ["assay/production"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"not JSON: {KEY}", "another form"),
        (json.dumps([KEY]), "another form"),
        (json.dumps({"ASSAY_SERVE_KEYS": [KEY]}), "another form"),
        (json.dumps({"ASSAY_SERVE_KEY": KEY}), "ASSAY_SERVE_KEY"),
        (json.dumps({"ASSAY_HOME": KEY}), "ASSAY_HOME"),
    ],
)
def test_what_aws_has_in_another_form_is_refused_and_not_shown(stored, text, says, caplog):
    stored(text)
    with caplog.at_level(logging.DEBUG), pytest.raises(SettingError) as refused:
        Settings()
    assert says in str(refused.value)
    assert KEY not in str(refused.value) + repr(refused.value.__cause__) + repr(refused.value.__context__)
    assert "GetSecretValue" in caplog.text
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    ("backend", "says"), [("vault:secret", "vault"), ("aws:", "aws:NAME"), ("aws:absent", "ResourceNotFound")]
)
def test_a_backend_that_is_not_there_is_refused(stored, monkeypatch, backend, says):
    stored("{}")
    monkeypatch.setenv("ASSAY_SECRETS_FROM", backend)
    with pytest.raises(SettingError, match=says):
        Settings()
    assert documentation_site() == "", "an error asks for it, so that secrets that cannot be read are no hindrance"


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda path: None, "No such file"),
        (lambda path: path.write_text(""), "empty"),
        (lambda path: path.write_text("\n"), "empty"),
        (lambda path: path.write_bytes(b"\xff"), "not UTF-8"),
        (lambda path: path.write_text("x" * 70_000), "too large"),
        (lambda path: path.mkdir(), "directory"),
    ],
)
def test_a_file_that_holds_no_secret_is_refused(monkeypatch, tmp_path, write, says):
    write(tmp_path / "secret")
    monkeypatch.setenv("ASSAY_SERVE_KEYS_FILE", str(tmp_path / "secret"))
    with pytest.raises(SettingError, match=says):
        Settings()


def test_a_secret_that_is_given_twice_is_refused_unless_it_is_the_same(monkeypatch, tmp_path):
    monkeypatch.setenv("ASSAY_SERVE_KEYS_FILE", written(tmp_path, KEY))
    monkeypatch.setenv("ASSAY_SERVE_KEYS", KEY)
    assert Settings().keys_of_endpoint == (KEY,)
    monkeypatch.setenv("ASSAY_SERVE_KEYS", "another-key-of-the-endpoint")
    with pytest.raises(SettingError, match="twice") as refused:
        Settings()
    assert KEY not in str(refused.value)
