"""Keys: when they are required, and which are accepted."""

import pytest

from assay.errors import SettingError
from serving.keys import Keys, is_loopback
from serving.refusals import RequestError

KEY = "0123456789abcdef"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_alone_needs_no_key(host):
    assert is_loopback(host)
    Keys.of((), host).require(None, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "", "example.org"])
def test_beyond_this_machine_keys_are_needed(host):
    with pytest.raises(SettingError, match="ASSAY_SERVE_KEYS"):
        Keys.of((), host)
    Keys.of((KEY,), host)


def test_a_short_key_is_refused_and_not_shown():
    with pytest.raises(SettingError) as refused:
        Keys.of(("hunter2",), "127.0.0.1")
    assert "hunter2" not in str(refused.value)


def test_keys_are_not_shown():
    shown = repr(Keys.of((KEY,), "127.0.0.1"))
    assert KEY not in shown
    assert "digests" not in shown


@pytest.mark.parametrize("shown", [None, "", "x", KEY[:-1], f"{KEY} ", "é" * 20])
def test_another_key_is_refused(shown):
    with pytest.raises(RequestError) as refused:
        Keys.of((KEY,), "127.0.0.1").require(shown, None)
    assert refused.value.status == 401
    assert KEY not in str(refused.value)


def test_keys_that_are_set_are_required_on_this_machine_too():
    keys = Keys.of((KEY, "f" * 16), "127.0.0.1")
    keys.require(KEY, None)
    keys.require("f" * 16, None)
    keys.require(None, f"bearer {KEY}")
    with pytest.raises(RequestError):
        keys.require(None, None)
