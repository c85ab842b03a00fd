"""Settings: from the environment, checked, and never telling a secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from vumeter_server.runtime.settings import (
    RENAMED,
    Settings,
    load_settings,
    require_admin_token,
    warn_of_old_names,
)
from vumeter_server.runtime.start_error import StartError


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"VUMETER_{name.upper()}", raising=False)
    for old_name in RENAMED:
        monkeypatch.delenv(old_name, raising=False)


def test_everything_listens_on_loopback_unless_told_otherwise() -> None:
    settings = load_settings()
    assert settings.host == "127.0.0.1"
    assert (settings.rest_port, settings.grpc_port) == (8080, 50051)
    assert settings.db == Path("data/vumeter.db")
    assert settings.cors_origins == ()


def test_what_is_given_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VUMETER_REST_PORT", "9000")
    monkeypatch.setenv("VUMETER_GRPC_PORT", "9001")
    settings = load_settings(rest_port=9002, grpc_port=None)
    assert (settings.rest_port, settings.grpc_port) == (9002, 9001)


def test_origins_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VUMETER_CORS_ORIGINS", "https://a.example.com, http://localhost:3000,")
    assert load_settings().cors_origins == ("https://a.example.com", "http://localhost:3000")


@pytest.mark.parametrize(
    "origins",
    [
        "*",
        "null",
        "https://*.example.com",
        "a.example.com",
        "https://a.example.com/",
        "https://u@a",
    ],
)
def test_an_origin_must_be_exact(monkeypatch: pytest.MonkeyPatch, origins: str) -> None:
    monkeypatch.setenv("VUMETER_CORS_ORIGINS", origins)
    with pytest.raises(StartError, match=r"VUMETER_CORS_ORIGINS: .* is not an exact origin"):
        load_settings()


def test_a_short_admin_token_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VUMETER_ADMIN_TOKEN", "only-thirty-one-characters-long")
    with pytest.raises(StartError) as caught:
        load_settings()
    assert str(caught.value) == "VUMETER_ADMIN_TOKEN: must have at least 32 characters"


def test_without_an_admin_token_nothing_starts() -> None:
    with pytest.raises(StartError, match="VUMETER_ADMIN_TOKEN is not set"):
        require_admin_token(load_settings())


def test_settings_do_not_show_the_admin_token() -> None:
    settings = load_settings(admin_token="0123456789abcdef0123456789abcdef")
    assert require_admin_token(settings) == "0123456789abcdef0123456789abcdef"
    assert "0123456789abcdef" not in repr(settings)


@pytest.mark.parametrize(
    ("old", "value", "attribute", "read"),
    [
        ("VUMETER_SEAL_AT_POINTS", "500", "flush_at_points", 500),
        ("VUMETER_LAUNCH_ID", "start-1", "epoch_id", "start-1"),
        ("VUMETER_WRITER", "127.0.0.1:50051", "writer_address", "127.0.0.1:50051"),
    ],
)
def test_an_old_name_works_and_is_warned_of_once(
    monkeypatch: pytest.MonkeyPatch, old: str, value: str, attribute: str, read: object
) -> None:
    monkeypatch.setenv(old, value)
    assert getattr(load_settings(), attribute) == read
    with capture_logs() as logs:
        warn_of_old_names()
    assert logs == [
        {
            "event": "setting_renamed",
            "log_level": "warning",
            "old_name": old,
            "new_name": f"VUMETER_{attribute.upper()}",
        }
    ]


@pytest.mark.parametrize("value", ["", "127.0.0.1:50052"])
def test_a_new_name_goes_before_the_old_one(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("VUMETER_WRITER", "127.0.0.1:50051")
    monkeypatch.setenv("VUMETER_WRITER_ADDRESS", value)
    assert load_settings().writer_address == value


def test_what_is_given_goes_before_an_old_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VUMETER_SEAL_AT_POINTS", "500")
    assert load_settings(flush_at_points=600).flush_at_points == 600


def test_a_wrong_value_under_an_old_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VUMETER_SEAL_AT_POINTS", "many")
    with pytest.raises(StartError, match="VUMETER_FLUSH_AT_POINTS"):
        load_settings()


def test_every_new_name_is_a_setting_and_no_old_one_is() -> None:
    names = {f"VUMETER_{name.upper()}" for name in Settings.model_fields}
    assert names >= set(RENAMED.values())
    assert not names & RENAMED.keys()
