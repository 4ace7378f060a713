"""The instance settings of `deploy/dagster-s3.yaml` keep what steps print in the bucket."""

import contextlib
import shutil
from pathlib import Path

import dagster as dg

DEPLOY = Path(__file__).parents[2] / "deploy"


@dg.op
def prints():
    print("3 trees are enough", flush=True)  # noqa: T201 - what the test is about


@dg.job
def printing_job():
    prints()


def test_what_a_step_prints_is_in_the_bucket(s3_server, tmp_path, monkeypatch):
    s3_server.client.create_bucket(Bucket="logs-of-steps")
    settings = {
        "DAGSTER_HOME": str(tmp_path),
        "ASSAY_COMPUTE_LOGS_BUCKET": "logs-of-steps",
        "ASSAY_S3_ENDPOINT_URL": s3_server.url,
        "ASSAY_S3_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    shutil.copy(DEPLOY / "dagster-s3.yaml", tmp_path / "dagster.yaml")
    with contextlib.chdir(tmp_path), dg.DagsterInstance.get() as instance:
        result = printing_job.execute_in_process(instance=instance)
    listed = s3_server.client.list_objects_v2(Bucket="logs-of-steps", Prefix="dagster-logs/").get("Contents", [])
    (key,) = [item["Key"] for item in listed if item["Key"].endswith(".out")]
    assert result.run_id in key
    text = s3_server.client.get_object(Bucket="logs-of-steps", Key=key)["Body"].read().decode()
    assert "3 trees are enough" in text
