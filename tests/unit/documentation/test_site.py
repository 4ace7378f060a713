"""The documentation: its pages, their links and order, and the reference that is made from the code."""

import re
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
SITE = ROOT / "docs" / "site"


@pytest.fixture(scope="module")
def site():
    sys.path.insert(0, str(SITE))
    try:
        import reference
        import tree

        yield {"reference": reference, "tree": tree}
    finally:
        sys.path.remove(str(SITE))


def listed():
    return (ROOT / "docs" / "README.md").read_text()


def test_the_reference_pages_are_those_of_the_code(site):
    """`make schema` writes them."""
    for name, page in site["reference"].pages().items():
        assert (ROOT / "docs" / "reference" / name).read_text() == page, name


def test_every_how_to_is_listed():
    names = {path.name for path in (ROOT / "docs" / "how-to").glob("*.md")}
    assert set(re.findall(r"\(how-to/([\w-]+\.md)\)", listed())) == names


def test_every_decision_is_listed():
    names = {path.name for path in (ROOT / "docs" / "adr").glob("0*.md")}
    assert set(re.findall(r"\((0[\w-]+\.md)\)", (ROOT / "docs" / "adr" / "README.md").read_text())) == names


@pytest.mark.parametrize(
    ("path", "link", "expected"),
    [
        ("README.md", "docs/how-to/add-a-rule.md", "how-to/add-a-rule.md"),
        ("docs/how-to/add-a-rule.md", "../../SECURITY.md", "../security.md"),
        (
            "docs/troubleshooting.md",
            "../assay/shell/explanations.md#gate_rejected",
            "reference/errors.md#gate_rejected",
        ),
        ("README.md", "pipelines/flight_delays.yaml", "files/pipelines/flight_delays.yaml"),
        ("assay/shell/explanations.md", "../../docs/hostile-inputs.md", "../hostile-inputs.md"),
        ("README.md", "nowhere.txt", "nowhere.txt"),
        ("README.md", "https://example.org/a.md", "https://example.org/a.md"),
        ("README.md", "#start", "#start"),
    ],
)
def test_links_between_files_become_links_between_pages(site, path, link, expected):
    text, _ = site["tree"].with_links_of_the_site(f"See [it]({link}).\n", path, ROOT)
    assert text == f"See [it]({expected}).\n"


def test_code_keeps_its_text(site):
    text = "```python\nrows[0](README.md)\n```\n[it](README.md)\n"
    changed, named = site["tree"].with_links_of_the_site(text, "README.md", ROOT)
    assert changed == "```python\nrows[0](README.md)\n```\n[it](index.md)\n"
    assert named == ["README.md"]


def test_the_tree_holds_every_page_of_the_order_and_linked_files(site, tmp_path):
    site["tree"].write_tree(ROOT, tmp_path / "site")
    settings = yaml.safe_load((tmp_path / "site" / "mkdocs.yml").read_text())
    pages = list(paths(settings["nav"]))
    assert pages[:2] == ["index.md", "contents.md"]
    assert "adr/0001-how-dagster-mlflow-is-used.md" in pages
    assert "reference/errors.md" in pages  # where errors link to: `SerialisedError.help`
    assert all((tmp_path / "site" / "pages" / page).is_file() for page in pages)
    assert (tmp_path / "site" / "pages" / "files" / "pipelines" / "flight_delays.yaml").is_file()
    assert Path(settings["INHERIT"]).is_file()


def test_an_earlier_tree_is_replaced(site, tmp_path):
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "gone.md").write_text("# Gone\n")
    site["tree"].write_tree(ROOT, tmp_path)
    assert not (tmp_path / "pages" / "gone.md").exists()


def paths(entries):
    for entry in entries:
        value = next(iter(entry.values())) if isinstance(entry, dict) else entry
        yield from paths(value) if isinstance(value, list) else [value]


def test_the_page_of_pipeline_files_names_every_key_and_links_to_what_is_there():
    page = (ROOT / "docs" / "reference" / "pipeline-file.md").read_text()
    headings = re.findall(r"^## `(.+)`$", page, re.MULTILINE)
    anchors = {re.sub(r"[^\w-]", "", heading) for heading in headings}
    assert set(re.findall(r"\(#([^)]+)\)", page)) <= anchors
    assert len(anchors) == len(headings)
    assert {"dataset", "dataset.dialect", "features.steps[].join.as_of", "promotion.slices"} <= set(headings)
    assert "| `test_size` | number > 0 and < 1 | `0.2` |" in page
