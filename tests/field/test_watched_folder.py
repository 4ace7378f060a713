"""Reports about watched folders: half-written files, stray names, touched and equally named files, damaged records."""

import hashlib
import json
import os

import boto3
import dagster as dg
import pytest
from arrivals_world import Texts
from moto import mock_aws
from small_platform import BANK, bank_rows, write_csv

from assay.arrivals.evaluation import evaluate as assess
from assay.arrivals.failures import FailureKind
from assay.arrivals.scan import ScanOptions, scan_source
from assay.arrivals.state import parse_state
from assay.errors import SourceError
from assay.specs.dataset import DatasetSpec, PartitionsSpec
from ml_assets.pipeline.new_data import _cause
from resources.arrivals_store import ArrivalsFolder
from resources.data_sources import _objects_named
from resources.sources.local import LocalSource
from resources.sources.s3 import S3Source
from resources.store.local import LocalStore

BY_OBJECT = PartitionsSpec(by="object")
BY_MONTH = PartitionsSpec(by="month", start="2021-01", end="2022-01")
WATCHED = BANK.replace("  target: y\n", "  partitions: {{by: object}}\n  target: y\n")


class Watched:
    """A folder and what its scans request; scans wait for unchanged files unless `waits` is 0."""

    def __init__(self, folder, pattern="*", partitions=BY_OBJECT, waits=0):
        self.folder, self.cursor, self.texts, self.said = folder / "in", None, Texts(), ""
        self.folder.mkdir()
        spec = DatasetSpec(source=f"{self.folder}/{pattern}", target="y", partitions=partitions)
        rejection = partitions.rejection_of if partitions.is_time else (lambda _: "")
        self.options = ScanOptions(spec, unchanged_scans=waits, rejection_of=rejection)

    def put(self, name, text="a,y\n1,2\n"):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def scan(self):
        """Return the partitions whose runs are requested."""
        spec = self.options.dataset
        listing = LocalSource(spec.source.replace("{partition}", "*"))
        found = scan_source(parse_state(self.cursor, spec.source), listing, self.texts, self.options)
        self.cursor, self.said = found.state.model_dump_json(), found.message
        self.texts.remove(found.state.replaced)
        return [each.partition_key for each in found.arrivals]


def test_a_file_that_is_still_written_waits_until_it_stays_unchanged_for_one_scan(tmp_path):
    """Cut at a line end, half of the rows passed the gate."""
    watched = Watched(tmp_path, waits=1)
    path = watched.put("a.csv")
    assert watched.scan() == []
    assert "1 waits until it stays unchanged, e.g. " in watched.said
    for row in range(3):
        with path.open("a") as file:
            file.write(f"{row},5\n")
        assert watched.scan() == []
    assert watched.scan() == ["a.csv"]
    assert watched.scan() == []
    assert len(watched.texts.kept) == 2, "one list and one page are left"


def test_files_that_arrive_one_after_another_do_not_delay_the_earlier_ones(tmp_path):
    watched = Watched(tmp_path, waits=1)
    requested = []
    for name in ("c.csv", "a.csv", "b.csv", "d.csv"):
        watched.put(name)
        requested.append(watched.scan())
    assert [*requested, watched.scan()] == [[], ["c.csv"], ["a.csv"], ["b.csv"], ["d.csv"]]


def test_the_run_of_a_whole_folder_waits_for_all_its_files(tmp_path):
    watched = Watched(tmp_path, partitions=PartitionsSpec(), waits=1)
    watched.put("a.csv")
    growing = watched.put("b.csv")
    assert watched.scan() == []
    growing.write_text("a,y\n1,2\n3,4\n")
    assert watched.scan() == []
    assert watched.scan() == [None]
    assert watched.scan() == []


def test_temporary_partial_and_marker_files_are_no_arrivals(tmp_path):
    watched = Watched(tmp_path)
    watched.put("good.csv")
    strays = ["x.csv.tmp", "x.csv.part", "x.csv.filepart", "x.csv.crdownload", "x.csv~", "~$x.xlsx", ".good.csv.crc"]
    strays += [
        "x.csv.crc",
        "_SUCCESS",
        "README.md",
        ".hidden.csv",
        "X.TMP",
        "_temporary/0/a.csv",
        "Thumbs.db",
        "x.csv.swp",
        "x.csv.md5",
    ]
    for name in strays:
        watched.put(name)
    assert watched.scan() == ["good.csv"]
    assert [item.uri for item in LocalSource(str(watched.folder)).objects()] == [f"{watched.folder}/good.csv"]


@pytest.mark.parametrize(("pattern", "name"), [("*.part", "a.part"), ("~$*", "~$a.xlsx"), (".*.csv", ".a.csv")])
def test_a_glob_that_names_such_files_reads_them(tmp_path, pattern, name):
    watched = Watched(tmp_path, pattern)
    watched.put(name)
    assert watched.scan() == [name]


def test_one_stray_name_does_not_stop_the_others_and_is_named(tmp_path):
    watched = Watched(tmp_path)
    watched.put("a.csv")
    watched.put("b...csv")
    watched.put("line\nfeed.csv")
    (watched.folder / os.fsdecode(b"caf\xe9.csv")).write_text("a,y\n")
    assert watched.scan() == ["a.csv"]
    assert "3 set aside" in watched.said
    assert "caf\\xe9.csv: the name is not UTF-8" in watched.said
    assert "line\\nfeed.csv: an object's name cannot be a partition" in watched.said, "and no line of its own"
    json.dumps(watched.said).encode()
    with pytest.raises(SourceError, match="not UTF-8"):
        LocalSource(str(watched.folder)).objects()


def test_a_name_that_is_no_month_is_reported_and_a_month_to_come_waits(tmp_path):
    watched = Watched(tmp_path, "t_{partition}.csv", BY_MONTH)
    for key in ("2021-12", "2021-13", "2021-1", "2020-12", "2022-01", "total"):
        watched.put(f"t_{key}.csv")
    assert watched.scan() == ["2021-12"]
    assert "5 set aside" in watched.said
    assert "'2020-12' is before the first partition, 2021-01" in watched.said
    assert "'2021-13' is no month" in BY_MONTH.rejection_of("2021-13")


@pytest.mark.parametrize("pattern", ["t?{partition}.csv", "[st]_{partition}.csv", "**/t_{partition}.csv"])
def test_every_glob_gives_its_partitions(tmp_path, pattern):
    watched = Watched(tmp_path, pattern, BY_MONTH)
    watched.put("t_2021-05.csv")
    assert watched.scan() == ["2021-05"]


def test_equal_names_in_different_folders_are_partitions_of_their_own(tmp_path):
    watched = Watched(tmp_path, "**/*.csv")
    watched.put("x.csv")
    watched.put("shop1/x.csv")
    watched.put("shop2/x.csv")
    assert sorted(watched.scan()) == ["shop1/x.csv", "shop2/x.csv", "x.csv"]


def test_touch_requests_no_run_and_other_bytes_of_the_same_size_and_time_do(tmp_path):
    watched = Watched(tmp_path)
    path = watched.put("a.csv")
    assert watched.scan() == ["a.csv"]
    os.utime(path, (2_000_000_000, 2_000_000_000))
    assert watched.scan() == []
    path.write_text(path.read_text())
    assert watched.scan() == []

    before = path.stat()
    path.write_text("a,y\n9,2\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert watched.scan() == ["a.csv"]
    path.write_text("a,y\n1,2\n")
    assert watched.scan() == ["a.csv"], "the first bytes again, after others"


def test_a_retry_of_a_file_that_was_touched_since_is_still_due(tmp_path):
    from assay.arrivals.ledger import Ledger

    watched = Watched(tmp_path)
    path = watched.put("a.csv")
    watched.scan()
    index = json.loads(watched.cursor)["index"]
    version = Ledger(watched.texts, index, page_keys=10).version_of(str(path))
    path.touch()
    watched.scan()
    assert Ledger(watched.texts, json.loads(watched.cursor)["index"], page_keys=10).version_of(str(path)) == version


def test_a_ledger_of_an_earlier_release_requests_nothing_again(tmp_path):
    """Versions had date and size only."""
    watched = Watched(tmp_path)
    path = watched.put("a.csv")
    state = path.stat()
    page = json.dumps({str(path): f"{state.st_mtime_ns}-{state.st_size}"})
    digest = hashlib.sha256(page.encode()).hexdigest()
    index = json.dumps([{"end": str(path), "count": 1, "digest": digest, "name": "page"}])
    watched.texts.kept = {"page": page, "index": index}
    watched.cursor = json.dumps({"source": watched.options.dataset.source, "index": "index", "scanned": True})
    assert watched.scan() == []
    path.write_text("a,y\n1,2\n3,4\n")
    assert watched.scan() == ["a.csv"]


JUNK = pytest.mark.parametrize("junk", ["", "null", "[]", "{}", "{", '{"a": 1}', '{"a": "1"}', '[{"end": 1}]'])


@JUNK
def test_a_junk_list_of_the_ledger_is_set_aside_and_its_objects_count_as_new(tmp_path, junk):
    watched = Watched(tmp_path)
    watched.put("a.csv")
    assert watched.scan() == ["a.csv"]
    watched.texts.kept[json.loads(watched.cursor)["index"]] = junk
    watched.put("b.csv")
    assert watched.scan() == ["a.csv", "b.csv"], "Dagster does not repeat the run key of a.csv"
    assert "cannot be read; its objects count as new" in watched.said
    assert watched.scan() == []
    assert "set aside" not in watched.said


@JUNK
def test_a_junk_page_of_the_ledger_is_set_aside_and_loses_nothing(tmp_path, junk):
    watched = Watched(tmp_path)
    path = watched.put("a.csv")
    assert watched.scan() == ["a.csv"]
    [page] = [name for name, text in watched.texts.kept.items() if text.startswith("{")]
    watched.texts.kept[page] = junk
    watched.put("b.csv")
    assert watched.scan() == ["b.csv"]
    assert "cannot be read; its objects count as new" in watched.said
    assert watched.scan() == []
    path.write_text("a,y\n9,9\n")
    assert watched.scan() == ["a.csv"]
    assert watched.scan() == []
    assert "set aside" not in watched.said


@JUNK
def test_a_junk_list_of_unsettled_files_lets_them_wait_one_more_scan(tmp_path, junk):
    watched = Watched(tmp_path, waits=1)
    watched.put("a.csv")
    assert watched.scan() == []
    watched.texts.kept[json.loads(watched.cursor)["unsettled"]] = junk
    assert watched.scan() == []
    assert watched.scan() == ["a.csv"]


@pytest.mark.parametrize("pattern", ["*", "**/*", "*/*.csv"])
def test_a_link_to_itself_is_set_aside_and_stops_nothing(tmp_path, pattern):
    watched = Watched(tmp_path, pattern)
    path = watched.put("x/a.csv" if "/" in pattern else "a.csv")
    loop = path.with_name("loop.csv")
    loop.symlink_to(loop)
    (watched.folder / "loop").symlink_to(watched.folder / "loop")
    assert [key.rpartition("/")[2] for key in watched.scan()] == ["a.csv"]
    assert "set aside" in watched.said
    assert "the file cannot be read" in watched.said


def evaluate(platform, cursor):
    definitions = platform.definitions
    sensor = definitions.resolve_sensor_def("bank_new_data_sensor")
    resources = {name: definitions.resources[name] for name in ("data_sources", "arrivals_store")}
    repository = definitions.get_repository_def()
    with dg.build_sensor_context(
        instance=platform.instance, cursor=cursor, repository_def=repository, resources=resources
    ) as context:
        return sensor(context)


def test_the_sensor_waits_names_partitions_by_folder_and_starts_over_from_a_bad_cursor(platform, tmp_path, capfd):
    platform.pipeline(WATCHED + "automation: {{ingest_on: [new_data]}}\n", tmp_path / "in" / "**" / "*.csv")
    write_csv(tmp_path / "in" / "x.csv", bank_rows())
    write_csv(tmp_path / "in" / "shop" / "x.csv", bank_rows(seed=8))
    first = evaluate(platform, None)
    assert "2 wait until they stay unchanged" in first.skip_reason.skip_message
    second = evaluate(platform, first.cursor)
    assert sorted(each.partition_key for each in second.run_requests) == ["shop/x.csv", "x.csv"]
    platform.instance.add_dynamic_partitions("bank_objects", ["shop/x.csv", "x.csv"])
    assert platform.materialize("bank/raw_dataset", partition="shop/x.csv").success

    damaged = ["no JSON", "null", "[]", "7", '"text"', json.dumps({**json.loads(second.cursor), "colour": "red"})]
    for cursor in damaged:
        again = evaluate(platform, cursor)
        assert "2 wait until they stay unchanged" in again.skip_reason.skip_message
        assert json.loads(again.cursor)["looks"] == 1
    assert capfd.readouterr().err.count("the cursor cannot be used") == len(damaged)


def test_a_key_of_an_earlier_release_is_read_or_refused_by_naming_both_files(tmp_path):
    """Earlier keys were base names: two files of one name were one partition."""
    spec = DatasetSpec(source=f"{tmp_path}/in/**/*.csv", target="y", partitions=BY_OBJECT)
    write_csv(tmp_path / "in" / "a" / "x.csv", bank_rows())
    source = LocalSource(spec.source)
    assert [item.uri for item in _objects_named(source, "x.csv")] == [f"{tmp_path}/in/a/x.csv"]
    write_csv(tmp_path / "in" / "b" / "x.csv", bank_rows())
    with pytest.raises(SourceError, match="several objects") as caught:
        _objects_named(source, "x.csv")
    assert f"{tmp_path}/in/a/x.csv, {tmp_path}/in/b/x.csv" in str(caught.value)


@mock_aws
def test_a_bucket_leaves_out_the_same_names_and_names_objects_below_its_folder():
    client = boto3.Session("AKIA", "secret", region_name="us-east-1").client("s3")
    client.create_bucket(Bucket="bucket")
    keys = ["a/x.csv", "b/x.csv", "x.csv", "x.csv.part", "_SUCCESS", "README.md", ".x.csv", "_temporary/0/x.csv"]
    for key in keys:
        client.put_object(Bucket="bucket", Key=f"in/{key}", Body=b"a,y\n")
    for address in ("s3://bucket/in/", "s3://bucket/in/**/*"):
        source = S3Source(address, client)
        assert [source.name_of(item.uri) for item in source.objects()] == ["a/x.csv", "b/x.csv", "x.csv"]
    assert [item.uri for item in S3Source("s3://bucket/in/*.part", client).objects()] == ["s3://bucket/in/x.csv.part"]


def test_a_run_whose_events_cannot_be_read_is_a_dead_letter_and_stops_nothing(monkeypatch):
    with dg.instance_for_test() as instance:
        monkeypatch.setattr(type(instance), "all_logs", lambda *_, **__: json.loads("{"))
        kind, reason = _cause(instance, "run-1")
    assert (kind, reason) == (FailureKind.PERMANENT, "the run's events cannot be read: JSONDecodeError")


def test_a_damaged_dead_letter_stays_and_is_named(tmp_path):
    arrivals = ArrivalsFolder(LocalStore(tmp_path / "store"), "bank/@arrivals")
    (tmp_path / "store/bank/@arrivals/dead").mkdir(parents=True)
    (tmp_path / "store/bank/@arrivals/dead/abc-0.letter").write_text("null")
    arrivals.order_redrive("abc-0")
    state, spec = parse_state(None, "in"), DatasetSpec(source="in/*.csv", target="y", partitions=BY_OBJECT)
    (tmp_path / "in").mkdir()
    found = assess(
        state, LocalSource(f"{tmp_path}/in/*.csv"), arrivals, [], ScanOptions(spec), max_retries=1, now=1000.0
    )
    assert "1 cannot be read and are not redriven, e.g. abc-0" in found.message
    assert arrivals.dead_letters().names == ("abc-0",)
