"""Settings: from the environment, checked, and never telling a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from vumeter_server.runtime.settings import Settings, load_settings, require_admin_token
from vumeter_server.runtime.start_error import StartError


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"VUMETER_{name.upper()}", raising=False)


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
