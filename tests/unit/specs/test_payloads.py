"""Payloads that were written for other systems."""

import pytest

from assay.errors import SpecError
from assay.specs.overrides import parse_overrides


def parsed(**values):
    return parse_overrides(values, where="the payload")


def test_a_payload_in_the_words_of_an_airflow_job():
    found = parsed(
        data_source="s3://bucket/data/people.zip",
        ingestion_config={
            "object_storage": {"bucket": "bucket", "object_key": "data/people.zip"},
            "member": "people.csv",
        },
        data_validation={
            "min_row_count": 10,
            "max_row_count": 99,
            "required_columns": ["age"],
            "non_null_columns": ["age"],
            "unique_columns": ["id", ["a", "b"]],
            "value_ranges": {"age": {"min": 0, "max": 120, "strict": True}},
            "allowed_values": {"y": ["no", "yes"]},
        },
        training_scenario="incremental_train",
    )
    assert found.data_source == "s3://bucket/data/people.zip"
    assert found.ingestion_config == {"member": "people.csv"}
    assert found.data_validation == {
        "min_rows": 10,
        "max_rows": 99,
        "columns_present": ["age"],
        "not_null": ["age"],
        "unique": [["id"], ["a", "b"]],
        "ranges": {"age": {"min": 0, "max": 120, "strict": True}},
        "allowed": {"y": ["no", "yes"]},
    }
    assert found.training_scenario == "incremental"


def test_the_object_of_the_store_is_the_source():
    found = parsed(ingestion_config={"object_storage": {"bucket": "b", "object_key": "k/x.csv"}})
    assert (found.data_source, found.ingestion_config) == ("s3://b/k/x.csv", {})


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"data_validation": {"min_rows": 1, "min_row_count": 2}}, "both min_row_count and min_rows"),
        ({"ingestion_config": {"cache_dir": "/tmp"}}, "'cache_dir' is not one of them"),
        ({"ingestion_config": {"source": "other.csv"}}, "'source' is not one of them"),
        ({"ingestion_config": {"target": "z"}}, "'target' is not one of them"),
        ({"ingestion_config": {"object_storage": {"bucket": "b"}}}, "object_storage has bucket and object_key"),
        ({"ingestion_config": {"object_storage": {"bucket": "b", "object_key": 3}}}, "bucket and object_key"),
        ({"ingestion_config": {"object_storage": "s3://b/k"}}, "bucket and object_key"),
        (
            {"data_source": "s3://b/other", "ingestion_config": {"object_storage": {"bucket": "b", "object_key": "k"}}},
            "two objects: s3://b/other and s3://b/k",
        ),
    ],
)
def test_what_a_payload_cannot_mean_is_refused(values, said):
    with pytest.raises(SpecError) as refused:
        parsed(**values)
    assert said in str(refused.value)
