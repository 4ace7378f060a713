import socket

import pytest

from assay.errors import StorageError
from resources.s3 import BoundedS3Resource, client_of

KEYS = {"aws_access_key_id": "id", "aws_secret_access_key": "very-secret", "aws_session_token": "token"}


@pytest.fixture(autouse=True)
def no_deployment(monkeypatch):
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE"):
        monkeypatch.delenv(name, raising=False)


def test_waiting_is_bounded():
    config = client_of(BoundedS3Resource(region_name="us-east-1", max_attempts=3)).meta.config
    assert (config.connect_timeout, config.read_timeout) == (5, 60)
    assert config.retries == {"total_max_attempts": 3, "mode": "standard"}


def test_every_setting_of_the_resource_reaches_the_client():
    s3 = BoundedS3Resource(endpoint_url="http://127.0.0.1:9", region_name="eu-central-1", use_ssl=False, **KEYS)
    client = client_of(s3)
    assert client.meta.endpoint_url == "http://127.0.0.1:9"
    assert client.meta.region_name == "eu-central-1"
    assert client._request_signer._credentials.access_key == "id"
    assert client._request_signer._credentials.secret_key == "very-secret"
    assert client._request_signer._credentials.token == "token"


def test_all_fields_of_the_resource_are_known_here():
    known = {"use_unsigned_session", "region_name", "endpoint_url", "max_attempts", "profile_name", "use_ssl", "verify"}
    assert set(BoundedS3Resource.model_fields) == known | set(KEYS)


@pytest.mark.parametrize("unsigned", [True, False])
def test_an_unsigned_session_signs_nothing(unsigned):
    s3 = BoundedS3Resource(region_name="us-east-1", use_unsigned_session=unsigned, **KEYS)
    url = client_of(s3).generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"})
    assert ("Signature" in url) is not unsigned


def test_a_profile_gives_region_and_credentials(tmp_path, monkeypatch):
    config = tmp_path / "config"
    config.write_text(
        "[profile lab]\nregion = eu-west-3\naws_access_key_id = of-the-lab\naws_secret_access_key = s\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    client = client_of(BoundedS3Resource(profile_name="lab"))
    assert client.meta.region_name == "eu-west-3"
    assert client._request_signer._credentials.access_key == "of-the-lab"


def test_an_endpoint_that_is_no_url_is_a_typed_error():
    with pytest.raises(StorageError) as refused:
        client_of(BoundedS3Resource(endpoint_url="minio:9000", region_name="us-east-1"))
    assert "minio:9000" in str(refused.value)


def test_making_a_client_with_credentials_sends_nothing(monkeypatch):
    def forbidden(*_, **__):
        pytest.fail("a connection was made")

    monkeypatch.setattr(socket.socket, "connect", forbidden)
    assert client_of(BoundedS3Resource(region_name="us-east-1", **KEYS)).meta.service_model.service_name == "s3"


def test_a_resource_of_the_users_own_makes_the_client():
    class Own(BoundedS3Resource):
        def get_client(self):
            return "a client"

    assert client_of(Own()) == "a client"
