"""What a file says of serving, and what is refused when it is loaded."""

import pytest

from assay.data.frozen_schema import FrozenColumn, FrozenSchema
from assay.errors import SpecError
from assay.learning.known_columns import served_column_errors
from assay.specs import load_pipeline
from assay.specs.dataset import ColumnRole

PIPELINE = "name: loans\ntask: binary_classification\ndataset: {source: data/loans.csv, target: late}\n"


@pytest.fixture
def loaded(tmp_path):
    def load(serving):
        file = tmp_path / "loans.yaml"
        file.write_text(f"{PIPELINE}serving: {serving}\n")
        return load_pipeline(file)

    return load


def test_without_serving_a_spec_is_what_it_was(tmp_path):
    file = tmp_path / "loans.yaml"
    file.write_text(PIPELINE)
    assert "serving" not in load_pipeline(file).model_dump()


def test_defaults_are_right_without_being_set(loaded):
    assert loaded("{}").serving.log.mode == "buffered"
    serving = loaded("{challenger: {}}").serving
    assert (serving.challenger.alias_followed, serving.share, serving.key) == ("challenger", 0.1, None)
    assert loaded("{challenger: {version: 7}, shadow: true}").serving.share == 1.0
    assert loaded("{challenger: {version: 7, share: 0.3}, shadow: true}").serving.share == 0.3
    assert loaded("{challenger: {version: 7}}").serving.challenger.alias_followed is None


def test_columns_are_logged_once(loaded):
    serving = loaded("{challenger: {by: customer}, columns: [order, customer]}").serving
    assert serving.sent_columns == ("customer", "order")


@pytest.mark.parametrize(
    ("serving", "words"),
    [
        ("{challenger: {share: 1.5}}", "share"),
        ("{challenger: {share: 0}}", "share"),
        ("{challenger: {share: 1}}", "share"),
        ("{challenger: {version: 7, alias: next}}", "a version or an alias"),
        ("{challenger: {alias: champion}}", "another alias"),
        ("{challenger: {versoin: 7}}", "did you mean 'version'"),
        ("{challanger: {version: 7}}", "did you mean 'challenger'"),
        ("{shadow: true}", "a challenger"),
        ("{challenger: {by: late}}", "another column than the target"),
        ("{columns: [late]}", "another column than the target"),
        ("{columns: [log_row]}", "log_"),
        ("{columns: [a, a]}", "different names"),
        ("{log: {features: all}}", "digest"),
        ("{log: {since: yesterday}}", "a day"),
        ("{log: {flush_seconds: 0}}", "flush_seconds"),
    ],
)
def test_what_cannot_be_right_is_refused_when_the_file_is_loaded(loaded, serving, words):
    with pytest.raises(SpecError) as refused:
        loaded(serving)
    assert words in str(refused.value)


def test_a_key_is_of_the_data_or_declared(loaded):
    frozen = FrozenSchema(
        version=1,
        columns=tuple(FrozenColumn(name=name, dtype="int64", role=ColumnRole.NUMERIC) for name in ("customer", "age")),
    )

    def errors(serving):
        return [str(error) for _, error in served_column_errors(loaded(serving), frozen)]

    assert "did you mean 'customer'" in errors("{challenger: {by: custmer}}")[0]
    for known in (
        "{challenger: {by: age}}",
        "{challenger: {by: session}, columns: [session]}",
        "{challenger: {}}",
        "{}",
    ):
        assert errors(known) == []


def test_labels_of_served_predictions(loaded):
    labels = loaded("{labels: {source: labels.csv, delay: 7d}, columns: [order]}").serving.labels
    assert (labels.by_request, labels.table, labels.delay_microseconds) == (True, "labels", 7 * 86_400_000_000)
    for delay, seconds in {"0d": 0, "90 minutes": 5400, "2 weeks": 1_209_600, "12h": 43_200, "30s": 30}.items():
        served = loaded(f"{{labels: {{source: labels.csv, delay: {delay}}}}}").serving
        assert served.labels.delay_microseconds == seconds * 1_000_000


@pytest.mark.parametrize(
    ("serving", "words"),
    [
        ("{labels: {source: labels.csv}}", "delay"),
        ("{labels: {source: labels.csv, delay: soon}}", "a span such as 7d"),
        ("{labels: {source: labels.csv, delay: -1d}}", "a span such as 7d"),
        ("{labels: {source: labels.csv, delay: 7d, keys: [a]}}", "did you mean 'key'"),
        ("{labels: {source: labels.csv, delay: 7d, key: [order]}}", "name 'order' in serving.columns"),
        ("{labels: {source: labels.csv, delay: 7d, key: []}}", "at least one column"),
        ("{columns: [a], labels: {source: labels.csv, delay: 7d, key: [a, a]}}", "different columns"),
        ("{columns: [a], labels: {source: labels.csv, delay: 7d, key: [a], as_of: a}}", "different columns"),
        ("{labels: {source: labels.csv, delay: 7d, loss: squared}}", "zero_one, brier or log"),
        ("{labels: {source: labels.csv, delay: 7d, confidence: 1}}", "confidence"),
        ("{labels: {source: 'asset://dbt//labels', delay: 7d}}", "names an asset by its key"),
        ("{labels: {source: 'features://a', delay: 7d, format: csv}}", "the rows of an asset are no file"),
        ("{labels: {source: labels.csv, delay: 7d}, log: null}", "the log of predictions"),
        ("{on_verdict: promote}", "serving.challenger and serving.labels"),
        ("{on_verdict: promoted, challenger: {}, labels: {source: labels.csv, delay: 7d}}", "on_verdict"),
    ],
)
def test_labels_that_cannot_be_joined_are_refused(loaded, serving, words):
    with pytest.raises(SpecError) as refused:
        loaded(serving)
    assert words in str(refused.value)
