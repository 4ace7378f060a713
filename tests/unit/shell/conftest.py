import pytest


@pytest.fixture
def coloured(monkeypatch):
    """Terminals have colours, and 100 columns."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "100")
