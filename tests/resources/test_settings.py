"""Settings that cannot be used."""

import pytest

from assay.errors import SettingError
from resources.settings import Settings


def test_each_setting_that_cannot_be_used_is_named_by_its_variable(monkeypatch):
    monkeypatch.setenv("ASSAY_MAX_CONCURRENT", "0")
    monkeypatch.setenv("ASSAY_EXECUTOR", "dask")
    with pytest.raises(SettingError) as refused:
        Settings()
    assert refused.value.where == "ASSAY_EXECUTOR, ASSAY_MAX_CONCURRENT"
    assert refused.value.found == "dask, 0"
    assert "'forkserver'" in refused.value.expected
    assert "greater than or equal to 1" in refused.value.expected


def test_a_secret_that_cannot_be_used_is_not_quoted():
    with pytest.raises(SettingError) as refused:
        Settings(notify_slack_url=["hooks.example.org/abc"])
    assert refused.value.where == "ASSAY_NOTIFY_SLACK_URL"
    assert "abc" not in str(refused.value)
