"""Bad input ends in a typed error that says what, where, expected and remedy; nothing is published."""

import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_platform import BANK, bank_rows, failure, write_csv

from assay.errors import ArtifactNotFoundError


def nothing_published(platform, *assets):
    for asset in assets:
        with pytest.raises(ArtifactNotFoundError):
            platform.artifacts.newest(("bank", asset), None)


def refused(platform, *, parameters=None, asset="raw_dataset"):
    """Run the pipeline; return the failure's text after seeing that the asset was not published."""
    result = platform.materialize("bank/*", parameters=parameters)
    assert not result.success
    nothing_published(platform, asset, "champion_model")
    return failure(result)


def test_a_missing_file(bank):
    text = refused(bank, parameters={"data_source": "absent.csv"})
    assert "[source_not_found]" in text
    assert "where: absent.csv" in text
    assert "remedy:" in text


def test_a_wrong_format(bank):
    text = refused(bank, parameters={"data_format": "parquet"})
    assert "[data_malformed: unreadable] the file is not readable as Parquet" in text
    assert "bank.csv" in text


def test_an_unknown_ending(bank, tmp_path):
    (tmp_path / "rows.dat").write_text("a")
    text = refused(bank, parameters={"data_source": str(tmp_path / "rows.dat")})
    assert "[format_unsupported]" in text
    assert "set dataset.format" in text


def test_empty_data(bank, tmp_path):
    (tmp_path / "empty.csv").write_text("id,age,job,loan,since,note,secret,y\n")
    text = refused(bank, parameters={"data_source": str(tmp_path / "empty.csv")})
    assert "[data_empty] there are no rows" in text


def test_a_missing_target(bank):
    text = refused(bank, parameters={"target_column": "ae"})
    assert "[column_missing] there is no column 'ae'; did you mean 'age'?" in text


def test_one_class_only(bank, tmp_path):
    write_csv(tmp_path / "one.csv", [row | {"y": "no"} for row in bank_rows()])
    result = bank.materialize("bank/*", parameters={"data_source": str(tmp_path / "one.csv")})
    assert not result.success
    [check] = [check for check in result.get_asset_check_evaluations() if not check.passed]
    assert check.check_name == "target_learnable"
    assert "class" in check.description
    nothing_published(bank, "best_hyperparameters", "trained_model")


def test_an_unknown_model(bank):
    text = refused(bank, parameters={"model_name": "logistic_regresion"}, asset="best_hyperparameters")
    assert "[model_unknown]" in text
    assert "did you mean 'logistic_regression'?" in text


def test_an_unknown_hyperparameter(bank):
    text = refused(bank, parameters={"hyperparameters": {"max_itre": 5}}, asset="best_hyperparameters")
    assert "[hyperparameter_unknown]" in text
    assert "did you mean 'max_iter'?" in text


def test_an_unknown_name_in_the_search_space(bank):
    space = {"CC": {"type": "float", "low": 0.1, "high": 1.0}}
    text = refused(bank, parameters={"tuning": {"search_space": space}}, asset="best_hyperparameters")
    assert "[hyperparameter_unknown]" in text


def test_an_unknown_metric(bank, tmp_path):
    bank.pipeline(BANK + "evaluation: {{primary_metric: roc_auk}}\n", tmp_path / "data" / "bank.csv")
    text = refused(bank, asset="best_hyperparameters")
    assert "[metric_unknown]" in text
    assert "did you mean 'roc_auc'?" in text


def test_a_run_parameter_out_of_range(bank):
    text = refused(bank, parameters={"test_size": 1.5})
    assert "[spec_invalid] a run parameter is not acceptable" in text
    assert ", test_size" in text
    assert "less than 1" in text


def test_an_unset_variable_of_the_source(bank):
    bank.pipeline(BANK, "${ASSAY_SOURCE_TEST_UNSET}")
    text = refused(bank)
    assert "the variable ASSAY_SOURCE_TEST_UNSET of the source is not set" in text
    assert "e.g. ASSAY_SOURCE_TEST_UNSET=" in text


def test_unreachable_s3(bank, monkeypatch, tmp_path):
    from resources.settings import Settings

    bank.pipeline(BANK + "execution: {{max_retries: 0}}\n", tmp_path / "data" / "bank.csv")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    update = {"s3_endpoint_url": "http://127.0.0.1:9", "s3_region": "us-east-1", "run_roots": "s3://bucket"}
    bank.settings = Settings(**(bank.settings.model_dump() | update))
    text = refused(bank, parameters={"data_source": "s3://bucket/bank.csv"})
    assert "[source_unreachable] S3 does not answer" in text
    assert "ASSAY_S3_ENDPOINT_URL" in text


def test_missing_credentials(bank, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    bank.settings = bank.settings.model_copy(update={"run_roots": "s3://bucket"})
    text = refused(bank, parameters={"data_source": "s3://bucket/bank.csv"})
    assert "[credentials_missing]" in text
    assert "AWS_ACCESS_KEY_ID" in text


def test_parameters_for_several_pipelines_at_once_are_refused(bank, tmp_path):
    bank.pipeline(BANK.replace("name: bank", "name: bank_two"), tmp_path / "data" / "bank.csv")
    result = bank.materialize("bank/raw_dataset", "bank_two/raw_dataset", parameters={"random_state": 1})
    assert not result.success
    assert "a run of several pipelines" in failure(result)


@pytest.mark.confined
def test_a_damaged_parquet_source(bank, tmp_path):
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(bank_rows()), path)
    path.write_bytes(path.read_bytes()[:-100])
    text = refused(bank, parameters={"data_source": str(path)})
    assert "[data_malformed: unreadable]" in text


def test_a_default_that_does_not_exist_names_the_variable_to_set(bank):
    bank.pipeline(BANK, "${ASSAY_SOURCE_TEST_UNSET:-data/absent.csv}")
    text = refused(bank)
    assert "[source_not_found] the source does not exist" in text
    assert "remedy: set ASSAY_SOURCE_TEST_UNSET in the environment or in .env; or" in text


@pytest.mark.confined
def test_refused_bytes_are_quarantined_and_the_failure_names_the_copy(bank, tmp_path):
    source = tmp_path / "ragged.csv"
    source.write_text("id,age,job,loan,since,note,secret,y\nc1,30\n")
    text = refused(bank, parameters={"data_source": str(source)})
    assert "[data_malformed: ragged_row]" in text
    copy = Path(re.search(r"the refused bytes are kept as (\S+)", text)[1])
    assert "@quarantine" in copy.parts
    assert copy.read_bytes() == source.read_bytes()
    assert json.loads((copy.parent / "refusal.json").read_text())["place"]["row"] == 2
