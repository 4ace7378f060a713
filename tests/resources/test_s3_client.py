import os
import socket

import boto3
import pytest

from assay.errors import StorageError
from resources.object_store import BoundedS3Resource

KEYS = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "very-secret", "AWS_SESSION_TOKEN": "token"}


@pytest.fixture(autouse=True)
def no_deployment(monkeypatch):
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


def test_waiting_is_bounded():
    config = BoundedS3Resource(region_name="us-east-1", max_attempts=3).get_client().meta.config
    assert (config.connect_timeout, config.read_timeout) == (5, 60)
    assert config.retries == {"total_max_attempts": 3, "mode": "standard"}


def test_every_setting_of_the_resource_reaches_the_client():
    s3 = BoundedS3Resource(endpoint_url="http://127.0.0.1:9", region_name="eu-central-1")
    client = s3.get_client()
    assert client.meta.endpoint_url == "http://127.0.0.1:9"
    assert client.meta.region_name == "eu-central-1"
    assert client._request_signer._credentials.access_key == "id"
    assert client._request_signer._credentials.secret_key == "very-secret"
    assert client._request_signer._credentials.token == "token"


def test_a_profile_gives_region_and_credentials(tmp_path, monkeypatch):
    config = tmp_path / "config"
    config.write_text(
        "[profile lab]\nregion = eu-west-3\naws_access_key_id = of-the-lab\naws_secret_access_key = s\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", *KEYS):
        monkeypatch.delenv(name, raising=False)
    client = BoundedS3Resource(profile_name="lab").get_client()
    assert client.meta.region_name == "eu-west-3"
    assert client._request_signer._credentials.access_key == "of-the-lab"


def test_an_endpoint_that_is_no_url_is_a_typed_error():
    with pytest.raises(StorageError) as refused:
        BoundedS3Resource(endpoint_url="minio:9000", region_name="us-east-1").get_client()
    assert "minio:9000" in str(refused.value)


def test_making_a_client_with_credentials_sends_nothing(monkeypatch):
    def forbidden(*_, **__):
        pytest.fail("a connection was made")

    monkeypatch.setattr(socket.socket, "connect", forbidden)
    assert BoundedS3Resource(region_name="us-east-1").get_client().meta.service_model.service_name == "s3"


def test_a_process_has_one_client_for_each_configuration(in_threads, monkeypatch):
    first, *others = in_threads(4, lambda _: BoundedS3Resource(region_name="us-east-1").get_client())
    assert all(client is first for client in others)
    assert BoundedS3Resource(region_name="eu-west-3").get_client() is not first
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert BoundedS3Resource(region_name="us-east-1").get_client() is not first


def test_a_forked_process_does_not_share_connections():
    client = BoundedS3Resource(region_name="us-east-1").get_client()
    pid = os.fork()
    if pid == 0:
        os._exit(BoundedS3Resource(region_name="us-east-1").get_client() is client)
    assert os.waitpid(pid, 0)[1] == 0


def test_the_default_session_of_boto3_is_not_used(monkeypatch):
    """It belongs to the whole process and keeps the credentials of its first user."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    BoundedS3Resource(region_name="eu-north-1").get_client()
    assert boto3.DEFAULT_SESSION is None
