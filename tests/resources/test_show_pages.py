"""The site of `assay show`, over both stores: what it lists and gives, and what it refuses."""

import datetime as dt

import pytest
from asgi import Client

from assay.data.dataset import GateReceipt
from assay.errors import SpecError
from assay.monitoring.drift import DriftReport, FeatureDrift
from assay.promotion.champion import ChampionEntry
from assay.reporting.drift_page import DriftDrawings
from resources.artifacts.store import Attempt
from resources.champion_journal import ChampionJournal
from resources.report_pages import windows_of
from resources.report_site import CARD_PAGE, DRIFT_PAGE, GATE_PAGE, REPORT_PAGE, ReportSite
from resources.settings import Settings
from resources.store.local import LocalStore
from serving.show.application import HEADERS, application
from serving.show.cards import drawn
from serving.show.command import hosts_of, pipeline_names
from serving.show.history import history_of

NOON = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)
REPORT = ("bank", "model_report")
RECEIPT = GateReceipt(data_digest="d", rules_digest="r", verdict="failed", failed_rules=("min_rows",), rows=3)


@pytest.fixture
def site(store):
    return Client(application(lambda _: store, ["bank", "empty"]))


@pytest.fixture
def published(artifacts):
    """Return a function that publishes a report's page; the value beside it is no matter here."""

    def publish(text="<h1>a report</h1>", partition=None, attempt="a", **facts):
        given = {"verdict": "Promoted", "state": "passed", "evaluation": attempt, "family": "ridge", "version": ""}
        pages = {REPORT_PAGE: text, CARD_PAGE: "# card <b>"}
        made = Attempt("run", attempt, properties={**given, **facts})
        return artifacts.publish(REPORT, partition, RECEIPT, made, pages)

    return publish


def test_pages_are_listed_and_given_with_their_types(site, published, artifacts):
    commit = published(version="7")
    artifacts.reject(("bank", "validated_dataset"), "2024-01", RECEIPT, RECEIPT, Attempt("run", "g"), {GATE_PAGE: "no"})
    index = site.get("/").body.decode()
    assert "Promoted" in index
    assert "Rejected" in index
    assert "/empty" in index
    listed = site.get("/bank").body.decode()
    address = ReportSite("").page(commit, REPORT_PAGE)
    assert f'href="{address}"' in listed
    assert "/bank/validated_dataset/1/profile.html?partition=2024-01" in listed
    page = site.get(address)
    assert (page.status, page.body) == (200, b"<h1>a report</h1>")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    card = site.get(ReportSite("").page(commit, CARD_PAGE))
    assert (card.body, card.headers["content-type"]) == (b"# card <b>", "text/plain; charset=utf-8")
    assert site.get("/bank/validated_dataset/1/profile.html?partition=2024-01").body == b"no"


def test_a_browser_gets_a_card_as_a_page_that_holds_no_markup_of_the_card(site, published):
    address = ReportSite("").page(published(), CARD_PAGE)
    page = site.get(address, accept="text/html,*/*")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<title>Model card of bank</title>" in page.body.decode()
    assert "<h1>card &lt;b&gt;</h1>" in page.body.decode()


def test_a_card_is_drawn_without_pictures_scripts_and_empty_headers():
    card = drawn(
        "|  |  |\n| --- | --- |\n| Task | `y` |\n\n![p](http://x/p.png) <script>1</script> [a](javascript:1)\n"
    )
    assert "<td>Task</td>" in card
    assert not any(each in card for each in ("<th", "<img", "<script", 'href="javascript'))
    assert card.count('<div class="scroll"') == card.count("</div>") == 1
    assert "<th>age</th>" in drawn("| age |\n| --- |\n| 3 |\n")


def test_a_report_is_found_by_its_registered_version(site, published):
    published(attempt="a", version="1")
    newest = published(attempt="b", version="2")
    found = site.get("/bank/versions/2")
    assert (found.status, found.headers["location"]) == (303, ReportSite("").page(newest, REPORT_PAGE))
    assert site.get("/bank/versions/3").status == 404


def test_of_one_evaluation_the_report_with_the_decision_is_listed(site, published):
    published(attempt="a", evaluation="same", verdict="Evaluated")
    published(attempt="b", evaluation="same", verdict="Promoted")
    listed = site.get("/bank").body.decode()
    assert "Promoted" in listed
    assert "Evaluated" not in listed


def test_partitions_of_any_name_are_found_by_the_addresses_of_their_pages(site, published):
    for name in ("2024-01", "a/b", "../../x", "ä &?#%2e", "", " "):
        commit = published(text=f"of {name}", partition=name, attempt=f"p{name}")
        assert site.get(ReportSite("").page(commit, REPORT_PAGE)).body.decode() == f"of {name}"


def test_what_is_stored_is_escaped_in_lists(site, published):
    evil = "<script>alert(1)</script>"
    published(partition=evil, verdict=evil, family=evil, version=evil)
    for path in ("/", "/bank"):
        assert b"<script" not in site.get(path).body


def _drift(partition, **more):
    return DriftReport(
        pipeline="bank",
        partition=partition,
        champion_version="1",
        reference_rows=9,
        window_rows=9,
        status="judged",
        features=(DRIFTED,),
        **more,
    )


DRIFTED = FeatureDrift(
    name="x", statistic="KS distance", effect=0.4, p_value=0.0, missing_before=0, missing_now=0, drifted=True
)


def _windows(artifacts, *partitions):
    """Publish drift reports, each with its page, as the asset does."""
    for number, partition in enumerate(partitions):
        attempt = Attempt(f"run{number}", f"a{number}", properties={"verdict": "Some drift", "state": "warned"})
        page = DriftDrawings(report=_drift(partition or ""))
        artifacts.publish(("bank", "drift_page"), partition, page, attempt, {DRIFT_PAGE: f"of {partition}"})
        artifacts.publish(("bank", "drift_report"), partition, page.report, attempt)


def test_a_pipeline_over_time_is_read_from_the_store(site, artifacts, store):
    _windows(artifacts, "2024-01", "2024-02")
    # the newest version of a window counts
    alarm = _drift("2024-02", alarm_features=("x",), windows=("2024-01", "2024-02"))
    artifacts.publish(("bank", "drift_report"), "2024-02", alarm, Attempt("run1", "again"))
    journal = ChampionJournal(store, "bank")
    entry = ChampionEntry(
        number=1, event="promoted", registered_name="bank", version="1", digest="d", created_at=NOON, reason="first"
    )
    journal.append(entry, expected=None)
    page = site.get("/bank/history").body.decode()
    assert "Champion: version 1" in page
    assert "The newest window, 2024-02, has an alarm: drift." in page
    assert 'href="/bank/drift_page/1/drift.html?partition=2024-01"' in page
    assert site.get("/bank/drift_page/1/drift.html?partition=2024-02").body == b"of 2024-02"
    listed = site.get("/bank").body.decode()
    assert 'href="/bank/history"' in listed
    assert "/bank/drift_page/1/drift.html?partition=2024-02" in listed
    index = site.get("/").body.decode()
    assert 'href="/bank/history"' in index
    assert "Some drift" in index


def test_versions_without_partitions_are_windows_in_their_order(artifacts, store):
    _windows(artifacts, None, None, None)
    found = history_of(store, "bank", ReportSite(""), "/bank").windows
    assert [each.drift_url[:18] for each in found] == [f"/bank/drift_page/{number}" for number in (1, 2, 3)]
    assert [commit.number for commit in windows_of(store, "bank", "drift_report", 2)] == [2, 3]


def test_the_page_over_time_of_an_unknown_pipeline_is_not_found(site):
    assert site.get("/nothing/history").status == 404
    assert site.get("/..%2f..%2fx/history").status == 404
    assert "No champion" in site.get("/empty/history").body.decode()


HOSTILE = (
    "/bank/model_report/1/value.json",
    "/bank/model_report/1/manifest.json",
    "/bank/model_report/1/..%2f..%2freport.html",
    "/bank/model_report/1/../report.html",
    "/bank/trained_model/1/report.html",
    "/bank/model_report/0/report.html",
    "/bank/model_report/2/report.html",
    "/bank/model_report/-1/report.html",
    "/bank/model_report/1e0/report.html",
    "/bank/model_report/\N{SUPERSCRIPT TWO}/report.html",
    "/bank/model_report/" + "9" * 5000 + "/report.html",
    "/bank/model_report/999999999/report.html",
    "/bank/model_report/1/report.html?partition=..%2f..%2f..",
    "/bank/model_report/1/report.html?partition=" + "x" * 2000,
    "/bank/model_report/1/report.html?space=../../x",
    "/../model_report/1/report.html",
    "/..%2f../model_report/1/report.html",
    "/@spaces/model_report/1/report.html",
    "/bank/model_report/1/report.html/more",
    "/nothing",
    "/..%2f..%2fetc%2fpasswd",
    "/" + "x" * 2000,
    "/bank/versions/..%2f1",
    "/docs",
    "/openapi.json",
)


def test_other_files_and_other_places_are_not_given(store, published, artifacts, tmp_path):
    published()
    artifacts.publish(("bank", "trained_model"), None, RECEIPT, Attempt("run", "m"), {REPORT_PAGE: "secret"})
    elsewhere = LocalStore(tmp_path / "elsewhere")
    site = Client(application(lambda space: elsewhere if space else store, ["bank"]))
    for path in HOSTILE:
        answer = site.get(path)
        assert answer.status == 404, path
        assert b"secret" not in answer.body
        assert b"Traceback" not in answer.body


def test_nothing_can_be_written(site, published, backend):
    published()
    before = backend.raw_keys()
    for path in ("/", "/bank", "/bank/history", "/bank/model_report/1/report.html"):
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            assert site.post(path, b"{}", method=method).status == 405
    assert backend.raw_keys() == before


def test_every_answer_has_the_policy(site, published):
    published()
    for path in ("/", "/bank", "/bank/model_report/1/report.html", "/nothing", "/bank/versions/1"):
        headers = site.get(path).headers
        assert {name: headers[name.lower()] for name in HEADERS} == HEADERS
    assert "script-src" not in HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in HEADERS["Content-Security-Policy"]


def test_a_changed_page_is_not_given(site, published, backend):
    commit = published()
    key = next(item.key for item in commit.objects if item.name == REPORT_PAGE)
    backend.overwrite(key, b"<h1>forged</h1>")
    answer = site.get("/bank/model_report/1/report.html")
    assert answer.status == 503
    assert b"forged" not in answer.body


def test_a_removed_page_is_said_to_be_removed(site, published, store):
    commit = published()
    store.delete(next(item.key for item in commit.objects if item.name == REPORT_PAGE))
    answer = site.get("/bank/model_report/1/report.html")
    assert answer.status == 404
    assert b"files were removed" in answer.body


def test_another_space_is_shown_by_its_name_and_linked_within(store, published):
    published()
    asked = []

    def store_of(space):
        asked.append(space)
        return store

    site = Client(application(store_of, ["bank"], space="branch"))
    assert b"space=branch" in site.get("/bank").body
    assert b"space=other" in site.get("/bank?space=other").body
    assert asked == ["branch", "other"]


def test_a_local_site_answers_to_its_own_names_alone(store, tmp_path):
    hosts = hosts_of(Settings(home=tmp_path, reports_url="https://reports.example.org/x"))
    assert hosts == ["localhost", "127.0.0.1", "reports.example.org"]
    site = Client(application(lambda _: store, [], hosts=hosts))
    assert site.get("/", host="attacker.example").status == 400
    assert site.get("/", host="localhost:8090").status == 200
    assert hosts_of(Settings(home=tmp_path, reports_host="0.0.0.0")) == ["*"]


def test_pipelines_whose_files_are_broken_are_shown_too(tmp_path):
    (tmp_path / "bank.yaml").write_text("name: bank\n")
    settings = Settings(home=tmp_path, pipelines_dir=tmp_path)
    assert pipeline_names(settings, None) == ["bank"]
    with pytest.raises(SpecError, match="did you mean 'bank'"):
        pipeline_names(settings, "bnk")


def test_links_lead_to_the_port_of_the_site_unless_its_address_is_set(tmp_path):
    assert Settings(home=tmp_path).reports_address == "http://localhost:8090"
    assert Settings(home=tmp_path, reports_port=9000).reports_address == "http://localhost:9000"
    assert Settings(home=tmp_path, reports_url="https://r.example.org/").reports_address == "https://r.example.org"
    assert Settings(home=tmp_path, ui_port=3001).ui_address == "http://localhost:3001"
    assert Settings(home=tmp_path, ui_url="https://d.example.org/").ui_address == "https://d.example.org"


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ({}, "http://localhost:5000"),
        ({"mlflow_port": 5001}, "http://localhost:5001"),
        ({"mlflow_tracking_uri": "https://me:secret@m.example.org/"}, "https://m.example.org"),
        (
            {"mlflow_tracking_uri": "http://mlflow:5000", "mlflow_url": "https://people.example.org/"},
            "https://people.example.org",
        ),
    ],
)
def test_links_to_mlflow_lead_where_people_open_it(tmp_path, given, address):
    assert Settings(home=tmp_path, **given).mlflow_address == address
