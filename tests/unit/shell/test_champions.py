"""The commands about champions: what they print, without a deployment."""

import datetime as dt

import pytest

from assay.errors import SpecError
from assay.promotion.champion import ChampionEntry
from assay.promotion.history import ChampionHistory
from assay.shell import champions
from assay.shell.flags import Flags


def entry(number, event, version, **more):
    return ChampionEntry(
        number=number, event=event, registered_name="bank", version=version, digest=version,
        created_at=dt.datetime(2024, 1, number, 12, tzinfo=dt.UTC), **more,
    )  # fmt: skip


JOURNAL = (
    entry(1, "promoted", "1", run_id="0123456789"),
    entry(2, "awaiting_approval", "2", replaced="1", run_id="0123456789"),
    entry(3, "approved", "2", replaced="1", by="ann@desk", reason="seen\n  4  forged"),
    entry(4, "withdrawn", "2", replaced="2", by="ann@desk"),
)


@pytest.fixture
def deployment(monkeypatch):
    class Deployment:
        def history(self, pipeline):
            assert pipeline == "bank"
            return ChampionHistory.of(JOURNAL)

    monkeypatch.setattr(champions, "adapter", lambda *_, **__: Deployment)


def shown(at):
    return champions.show(Flags(command="champion", name="bank", at=at), None)


@pytest.mark.parametrize(
    ("at", "address"),
    [
        (None, ""),
        ("2023-12-31", ""),
        ("2024-01-01", "models:/bank/1"),
        ("2024-01-02", "models:/bank/1"),
        ("2024-01-03T11:59", "models:/bank/1"),
        ("2024-01-03", "models:/bank/2"),
        ("2024-01-03T12:30+01:00", "models:/bank/1"),
        ("2024-01-04", ""),
    ],
)
def test_the_champion_of_a_time_is_printed(deployment, at, address):
    assert shown(at) == (True, address)


def test_the_journal_is_printed_line_by_line(deployment, capsys):
    shown(None)
    lines = [" ".join(line.split()) for line in capsys.readouterr().err.splitlines()]
    assert lines == [
        "1 2024-01-01 12:00 promoted version 1 run 01234567",
        "2 2024-01-02 12:00 awaiting approval version 2 after version 1 run 01234567",
        "3 2024-01-03 12:00 approved version 2 after version 1 ann@desk seen 4 forged",
        "4 2024-01-04 12:00 withdrawn version 2 ann@desk",
    ]


@pytest.mark.parametrize("at", ["soon", "2024-13-01", "9999-12-31T99"])
def test_what_is_no_date_is_refused(deployment, at):
    with pytest.raises(SpecError, match="no date"):
        shown(at)
