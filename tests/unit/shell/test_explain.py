"""`assay explain`: a text for the code of every error."""

import importlib

import pytest

from assay.errors import AssayError, SerialisedError
from assay.shell.explain import explanations
from assay.shell.main import main


def codes(kind=AssayError):
    # those that are declared beside what they are about
    importlib.import_module("ml_assets.supervision.memory_limit")
    importlib.import_module("serving.refusals")
    importlib.import_module("serving.challenger_follower")
    found = {kind.code}
    for each in kind.__subclasses__():
        if each.__module__.partition(".")[0] in {"assay", "resources", "ml_assets", "serving"}:
            found |= codes(each)
    return found


def test_every_code_is_explained_and_no_other():
    assert set(explanations()) == codes()


def test_an_error_that_is_tried_again_says_so():
    texts = explanations()
    marked = {code for code, text in texts.items() if text.startswith("*Repeated.*")}
    assert marked == {code for code in texts if transient(code)} | {"notice_undelivered"}


def transient(code):
    from assay.errors import error_class

    return error_class(code).transient


@pytest.mark.parametrize("given", ["schema_drift", "[schema_drift]", "schema_drift: anything"])
def test_a_code_is_taken_as_it_is_copied(given, capsys):
    assert main(["explain", given]) == 0
    out = capsys.readouterr().out
    assert out.startswith("schema_drift\n\nThe columns or types differ from those frozen")
    assert max(map(len, out.splitlines())) <= 100


def test_an_error_of_a_command_links_to_the_documentation_of_the_deployment(monkeypatch, capsys):
    monkeypatch.setattr(SerialisedError, "site", "")  # restored afterwards
    for site, line in (("", ""), ("https://docs.example.org", "  help: https://docs.example.org/reference/errors/#")):
        monkeypatch.setenv("ASSAY_DOCS_URL", site)
        main(["explain", "gat_rejected"])
        shown = [each for each in capsys.readouterr().err.splitlines() if "help:" in each]
        assert shown == ([f"{line}spec_invalid"] if line else [])


def test_links_are_plain_text(capsys):
    main(["explain", "data_malformed"])
    out = capsys.readouterr().out
    assert "Hostile inputs has an example of each defect." in " ".join(out.split())
    assert "](" not in out


def test_an_unknown_code_is_refused_with_the_nearest(capsys):
    assert main(["explain", "gat_rejected"]) == 2
    err = capsys.readouterr().err
    assert "there is no error with the code 'gat_rejected'; did you mean 'gate_rejected'?" in err
