"""`assay predict` and `assay.load` on S3: bundle, rows and predictions are objects, as they would be local files."""

import io

import pandas as pd
import pytest
from prediction_cases import fitted, user_rows

import assay
from assay.errors import SourceNotFoundError
from assay.learning.persistence import save_model
from assay.reading.files import transcribe
from assay.shell import main, predict

MODEL, ROWS, OUT = "s3://bucket/models/flats/1", "s3://bucket/data/rows.csv", "s3://bucket/out/predictions.parquet"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle") / "model"
    save_model(fitted(), folder)
    return folder


@pytest.fixture
def bucket(aws, bundle, monkeypatch):
    """A bucket with a bundle and rows."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")

    def transcribe_here(path, options, target, *, name, layout, limits):
        transcribe(path, options, target, name=name, layout=layout)

    monkeypatch.setattr(predict, "transcribe_in_child", transcribe_here)
    for path in bundle.rglob("*"):
        if path.is_file():
            aws.upload_file(str(path), "bucket", f"models/flats/1/{path.relative_to(bundle)}")
    put(aws, "data/rows.csv", user_rows())
    return aws


def put(client, key, rows):
    client.put_object(Bucket="bucket", Key=key, Body=rows.to_csv(index=False).encode())


def predicted(data=ROWS, model=MODEL, out=OUT):
    return main.main(["predict", "--model-uri", model, "--dataset-path", data, "--output-uri", out])


def stored(client, key="out/predictions.parquet"):
    body = io.BytesIO(client.get_object(Bucket="bucket", Key=key)["Body"].read())
    return pd.read_csv(body) if key.endswith(".csv") else pd.read_parquet(body)


def keys(client):
    return {each["Key"] for each in client.list_objects_v2(Bucket="bucket", Prefix="out/").get("Contents", [])}


def test_a_file_on_s3_is_predicted_as_a_local_one(bucket, bundle, tmp_path, capsys):
    assert predicted() == 0, capsys.readouterr().err
    assert capsys.readouterr().out.strip() == OUT
    user_rows().to_csv(tmp_path / "rows.csv", index=False)
    assert predicted(str(tmp_path / "rows.csv"), str(bundle), str(tmp_path / "out.parquet")) == 0
    found = stored(bucket)
    pd.testing.assert_frame_equal(found, pd.read_parquet(tmp_path / "out.parquet"))
    assert found.id.tolist() == user_rows().id.tolist()


def test_a_bundle_on_s3_is_loaded_in_python(bucket, bundle):
    rows = user_rows().head(20)
    pd.testing.assert_frame_equal(assay.load(MODEL).predict(rows), assay.load(str(bundle)).predict(rows))


def test_several_objects_are_predicted_one_after_the_other(bucket, capsys):
    put(bucket, "data/parts/a.csv", user_rows().head(70))
    put(bucket, "data/parts/b.csv", user_rows().tail(50))
    assert predicted() == 0
    whole = stored(bucket)
    assert predicted("s3://bucket/data/parts/*.csv", out="s3://bucket/out/parts.csv") == 0, capsys.readouterr().err
    pd.testing.assert_frame_equal(stored(bucket, "out/parts.csv"), whole, rtol=1e-12)


def test_a_row_that_is_refused_writes_nothing(bucket, capsys):
    rows = user_rows()
    rows["seen"] = rows.seen.where(rows.index != 50, "yesterday")
    put(bucket, "data/rows.csv", rows)
    assert predicted() == 2
    assert "'seen', row 51" in capsys.readouterr().err
    assert keys(bucket) == set()


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"data": "s3://bucket/data/none.csv"}, "data/none.csv"),
        ({"model": "s3://bucket/models/flats/2"}, "models/flats/2"),
        ({"data": "s3://elsewhere/rows.csv"}, "elsewhere"),
    ],
)
def test_what_is_not_there_is_named(bucket, changed, word, capsys):
    assert predicted(**changed) == 2
    assert word in capsys.readouterr().err
    assert keys(bucket) == set()


def test_a_model_whose_file_was_changed_is_not_loaded(bucket, capsys):
    [key] = [
        each["Key"]
        for each in bucket.list_objects_v2(Bucket="bucket", Prefix="models/")["Contents"]
        if each["Key"].endswith("model.skops")
    ]
    body = bucket.get_object(Bucket="bucket", Key=key)["Body"].read()
    bucket.put_object(Bucket="bucket", Key=key, Body=body[:-1] + bytes([body[-1] ^ 1]))
    assert predicted() == 2
    assert "digest" in capsys.readouterr().err
    bucket.delete_object(Bucket="bucket", Key=key)
    with pytest.raises(SourceNotFoundError):
        assay.load(MODEL)
