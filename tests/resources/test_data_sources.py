"""Sources of pipelines: which objects make which partition."""

import contextlib
import sqlite3

import pytest

from assay.errors import SourceError, SourceNotFoundError, SpecError
from assay.reading.files import mapped_table
from assay.specs.dataset import DataFormat, DatasetSpec, PartitionsSpec
from resources.data_sources import DataSources
from resources.object_store import BoundedS3Resource

MONTHS = PartitionsSpec(by="month", start="2024-01")
OBJECTS = PartitionsSpec(by="object")


@pytest.fixture
def sources():
    return DataSources(s3=BoundedS3Resource())


@pytest.fixture(params=["local", "s3"])
def root(request, tmp_path):
    """Three files of one content each: their name."""
    names = ("2024-01.csv", "2024-02.csv", "2024-10.csv")
    if request.param == "local":
        for name in names:
            (tmp_path / name).write_text(name)
        return str(tmp_path)
    client = request.getfixturevalue("aws")
    for name in names:
        client.put_object(Bucket="bucket", Key=f"in/{name}", Body=name.encode())
    return "s3://bucket/in"


def spec(source, partitions=PartitionsSpec()):  # noqa: B008 - frozen
    return DatasetSpec(source=source, target="y", partitions=partitions)


def contents(sources, dataset, key):
    with sources.fetched(dataset, key) as files:
        return [file.path.read_text() for file in files]


def test_without_partitions_every_object_is_fetched_in_order_of_its_name(sources, root):
    assert contents(sources, spec(f"{root}/*.csv"), None) == ["2024-01.csv", "2024-02.csv", "2024-10.csv"]


def test_an_object_partition_is_the_object_of_that_name_alone(sources, root):
    assert contents(sources, spec(f"{root}/*.csv", OBJECTS), "2024-02.csv") == ["2024-02.csv"]


def test_a_time_partition_fills_the_placeholder(sources, root):
    assert contents(sources, spec(root + "/{partition}.csv", MONTHS), "2024-10") == ["2024-10.csv"]


def test_a_time_partition_of_a_column_reads_the_whole_source(sources, root):
    by_column = PartitionsSpec(by="month", column="day", start="2024-01")
    assert len(contents(sources, spec(f"{root}/*.csv", by_column), "2024-10")) == 3


def test_a_partition_without_objects_is_not_found(sources, root):
    for pattern, partitions, key in (
        ("/{partition}.csv", MONTHS, "2024-03"),
        ("/{partition}*.csv", MONTHS, "2024-03"),
        ("/*.csv", OBJECTS, "2024-03.csv"),
        ("/*.json", PartitionsSpec(), None),
    ):
        dataset = spec(root + pattern, partitions)
        with pytest.raises(SourceNotFoundError, match=key or "no object"), sources.fetched(dataset, key):
            pass


def test_the_listing_covers_all_partitions(sources, root):
    listed = [item.uri for item in sources.listing(spec(root + "/{partition}.csv", MONTHS)).objects()]
    assert listed == [f"{root}/2024-{month}.csv" for month in ("01", "02", "10")]


def test_a_listing_without_objects_is_empty(sources, root):
    assert sources.listing(spec(f"{root}/*.json", OBJECTS)).objects() == []


def test_partitions_by_a_column_cannot_be_listed(sources, root):
    with pytest.raises(SpecError):
        sources.listing(spec(f"{root}/all.csv", PartitionsSpec(by="month", column="day", start="2024-01")))


def test_a_variable_is_looked_up_in_the_environment(sources, root, monkeypatch):
    monkeypatch.setenv("ROWS_AT", root)
    assert contents(sources, spec("${ROWS_AT}/2024-0?.csv"), None) == ["2024-01.csv", "2024-02.csv"]


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        ("", "set ROWS in the environment or in .env; or correct dataset.source"),
        ("/ROWS/absent.csv", "correct ROWS in the environment or in .env; or correct dataset.source"),
    ],
)
def test_an_address_that_leads_nowhere_names_its_variable(sources, monkeypatch, value, remedy):
    monkeypatch.setenv("ROWS", value)
    with pytest.raises(SourceNotFoundError) as raised:
        contents(sources, spec("${ROWS:-absent.csv}"), None)
    assert raised.value.remedy.startswith(remedy)


def test_a_variable_without_value_is_the_error(sources, monkeypatch):
    monkeypatch.delenv("ROWS", raising=False)
    with pytest.raises(SourceNotFoundError) as raised:
        contents(sources, spec("${ROWS}"), None)
    assert raised.value.remedy == "set it in the environment or in .env, e.g. ROWS=/data/rows.csv"


def test_downloads_are_gone_after_use_and_local_files_are_not(sources, root):
    with sources.fetched(spec(f"{root}/2024-01.csv"), None) as files:
        assert files[0].path.exists()
    assert files[0].path.exists() is not root.startswith("s3://")


def test_an_error_does_not_show_the_query_of_a_web_address(sources, monkeypatch):
    monkeypatch.setattr("resources.sources.web.WebSource.objects", lambda self: [])
    with (
        pytest.raises(SourceNotFoundError, match="matches no object") as caught,
        sources.fetched(spec("https://example.org/rows.csv?token=hunter2"), None),
    ):
        pass
    assert "hunter2" not in str(caught.value)


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A connection named `shop` to a database of two months."""
    monkeypatch.setenv("ASSAY_SQL_SHOP", f"sqlite:///{tmp_path}/shop.db")
    with contextlib.closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        connection.executescript(
            "create table t (month text, a int); insert into t values ('2024-01', 1), ('2024-02', 2), ('2024-02', 3)"
        )
    return tmp_path / "shop.db"


QUERY = "select a from t where month like :month and a > :least"


def test_a_partition_of_a_query_is_what_its_values_select(sources, shop):
    dataset = DatasetSpec(
        source="sql://shop",
        query=QUERY,
        parameters={"month": "{partition}%", "least": 2},
        target="a",
        partitions=MONTHS,
    )
    with sources.fetched(dataset, "2024-02") as (file,):
        assert mapped_table(file.path).to_pydict() == {"a": [3]}
        assert (file.uri, file.data_format) == ("sql://shop", DataFormat.FEATHER)


def test_a_watermark_gives_new_rows_a_new_version(sources, shop):
    dataset = DatasetSpec(source="sql://shop", query="select a from t", watermark="select max(a) from t", target="a")
    before = sources.listing(dataset).objects()
    assert sources.listing(dataset).objects() == before
    with contextlib.closing(sqlite3.connect(shop)) as connection:
        connection.executescript("insert into t values ('2024-03', 4)")
    (after,) = sources.listing(dataset).objects()
    assert [after.uri] == [item.uri for item in before]
    assert after.version != before[0].version


def test_the_settings_limit_requests_and_queries(shop):
    bounded = DataSources(s3=BoundedS3Resource(), https_allowed_hosts=["data.example.org"], query_seconds=0.2)
    with pytest.raises(SourceError, match="not on the list"):
        bounded.listing(spec("https://example.com/rows.csv")).objects()
    endless = "with recursive r(n) as (select 1 union all select n + 1 from r) select n as a from r"
    dataset = DatasetSpec(source="sql://shop", query=endless, target="a")
    with pytest.raises(SourceError, match="longer than allowed"), bounded.fetched(dataset, None):
        pass
    private = DataSources(s3=BoundedS3Resource(), https_allow_private=True)
    with pytest.raises(SourceError) as caught:
        private.listing(spec("https://10.0.0.1.nip.invalid/rows.csv")).objects()
    assert "not public" not in str(caught.value)


def test_unchanged_objects_come_from_the_cache_of_the_deployment(aws, tmp_path, caplog):
    sources = DataSources(s3=BoundedS3Resource(), cache_dir=str(tmp_path / "cache"), cache_megabytes=1)
    aws.put_object(Bucket="bucket", Key="in/a.csv", Body=b"1")
    aws.put_object(Bucket="bucket", Key="in/b.csv", Body=b"2")
    assert contents(sources, spec("s3://bucket/in/"), None) == ["1", "2"]
    aws.put_object(Bucket="bucket", Key="in/b.csv", Body=b"3")
    assert contents(sources, spec("s3://bucket/in/"), None) == ["1", "3"]
    assert "s3://bucket/in/: 1 of 2 files unchanged since" in caplog.text
