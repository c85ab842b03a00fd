"""Settings: from the environment, checked, and never telling a secret."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from vumeter_server.runtime.settings import (
    RENAMED,
    Settings,
    load_settings,
    read_store_password,
    require_admin_token,
    warn_of_old_names,
)
from vumeter_server.runtime.start_error import StartError
from vumeter_server.runtime.store_address import ClickHouseAddress, ClickHouseHost, SqliteAddress


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


CLICKHOUSE = "clickhouse://vumeter@a,b:8124,[::1]:1/metrics?cluster=main"


def test_everything_is_stored_in_a_file_unless_told_otherwise() -> None:
    assert load_settings().store_address == SqliteAddress(path=Path("data/vumeter.db"))
    assert load_settings(db=Path("a.db")).store_address == SqliteAddress(path=Path("a.db"))


@pytest.mark.parametrize(
    ("store", "path"),
    [("sqlite:///a/b.db", "a/b.db"), ("sqlite:////a%20b.db", "/a b.db")],
)
def test_a_store_may_be_a_file(store: str, path: str) -> None:
    settings = load_settings(store=store)
    assert (settings.db, settings.store_address) == (Path(path), SqliteAddress(path=Path(path)))


def test_a_store_may_be_a_cluster() -> None:
    hosts = [("a", 8123), ("b", 8124), ("::1", 1)]
    plain = ClickHouseAddress(
        user="vumeter",
        hosts=tuple(ClickHouseHost(host=host, port=port) for host, port in hosts),
        database="metrics",
        cluster="main",
    )
    assert load_settings(store=CLICKHOUSE).store_address == plain
    assert [str(each) for each in plain.hosts] == ["a:8123", "b:8124", "[::1]:1"]
    options = "engine=ReplicatedMergeTree&on_cluster=true&quorum=3&secure=true&ca_file=/ca.pem"
    assert load_settings(store=f"{CLICKHOUSE}&{options}").store_address == replace(
        plain,
        hosts=tuple(
            ClickHouseHost(host=host, port=8443 if port == 8123 else port) for host, port in hosts
        ),
        engine="ReplicatedMergeTree",
        on_cluster=True,
        quorum="3",
        secure=True,
        ca_file=Path("/ca.pem"),
    )
    assert load_settings(store="clickhouse://a/b").store_address == ClickHouseAddress(
        user="default", hosts=(ClickHouseHost(host="a", port=8123),), database="b"
    )


@pytest.mark.parametrize(
    ("store", "problem"),
    [
        ("postgres://a/b", "must be sqlite:///PATH or clickhouse://"),
        ("a.db", "must be sqlite:///PATH or clickhouse://"),
        ("sqlite://a.db", "must be sqlite:///PATH"),
        ("sqlite:///", "must be sqlite:///PATH"),
        ("clickhouse://u:secret@a/b", "must not hold a password: set VUMETER_STORE_PASSWORD or"),
        ("clickhouse://u:sec/ret@a/b", "must name the database"),
        # Not to be normalized: ℀ is a/c then, which urlsplit refuses with all of this in its text.
        ("clickhouse://u:secret℀@a/b", "must not hold a password: set VUMETER_STORE_PASSWORD or"),
        ("clickhouse://u:secret]@a/b", "must not hold a password: set VUMETER_STORE_PASSWORD or"),
        ("clickhouse://[::1/b", "host 1 must be HOST or HOST:PORT"),
        ("clickhouse://u:secret/b", "host 1 must be HOST or HOST:PORT"),
        ("clickhouse://@a/b", "names no user before @"),
        ("clickhouse://a,,b/c", "host 2 must be"),
        ("clickhouse://a:0/b", "host 1 must be"),
        ("clickhouse://a:65536/b", "host 1 must be"),
        ("clickhouse://a,a:8123/b", "names a host twice"),
        ("clickhouse:///b", "host 1 must be"),
        ("clickhouse://a", "must name the database after the hosts"),
        ("clickhouse://a/1b", "must name the database after the hosts"),
        ("clickhouse://a/b/c", "must name the database after the hosts"),
        ("clickhouse://a/b#c", "must not hold #"),
        ("clickhouse://a/b?secret=1", "may hold no other options than cluster, engine,"),
        ("clickhouse://a/b?cluster=", "cluster must not be empty"),
        ("clickhouse://a/b?cluster=c&cluster=c", "has cluster twice"),
        ("clickhouse://a/b?cluster=c'", "cluster must be a name of letters"),
        ("clickhouse://a/b?engine=Log", "engine must be MergeTree or ReplicatedMergeTree"),
        ("clickhouse://a/b?on_cluster=yes&cluster=c", "on_cluster must be true or false"),
        ("clickhouse://a/b?on_cluster=true", "on_cluster needs cluster=NAME"),
        ("clickhouse://a/b?engine=ReplicatedMergeTree&quorum=0", "quorum must be auto, or"),
        ("clickhouse://a/b?quorum=2", "quorum needs engine=ReplicatedMergeTree"),
        ("clickhouse://a/b?ca_file=x", "ca_file needs secure=true"),
    ],
)
def test_what_names_no_store_is_told_in_one_line_without_a_secret(store: str, problem: str) -> None:
    with pytest.raises(StartError) as caught:
        load_settings(store=store)
    assert str(caught.value).startswith(f"VUMETER_STORE: {problem}")
    assert not {"secret", "u:sec"} & set(re.findall(r"[\w:]+", str(caught.value)))


def test_a_file_and_another_store_cannot_both_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VUMETER_DB", "a.db")
    for other in ("sqlite:///b.db", CLICKHOUSE):
        with pytest.raises(StartError, match="VUMETER_STORE: and VUMETER_DB name different stores"):
            load_settings(store=other)
    assert load_settings(store="sqlite:///a.db").db == Path("a.db")


def test_the_command_line_goes_before_another_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VUMETER_STORE", CLICKHOUSE)
    settings = load_settings(db=Path("a.db"))
    assert settings.store_address == SqliteAddress(path=Path("a.db"))


def test_the_password_of_a_store_is_read_from_the_environment_or_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert read_store_password(load_settings()) == ""
    file = tmp_path / "password"
    file.write_text("in a file\n")
    assert read_store_password(load_settings(store_password_file=file)) == "in a file"
    monkeypatch.setenv("VUMETER_STORE_PASSWORD", "in the environment")
    settings = load_settings()
    assert read_store_password(settings) == "in the environment"
    assert "environment" not in repr(settings)
    with pytest.raises(StartError, match=r"VUMETER_STORE_PASSWORD_FILE: and .* are both set"):
        load_settings(store_password_file=file)


@pytest.mark.parametrize(("held", "problem"), [(None, "cannot be read: No such"), ("", "is empty")])
def test_a_password_file_has_to_hold_one(tmp_path: Path, held: str | None, problem: str) -> None:
    file = tmp_path / "password"
    if held is not None:
        file.write_text(held)
    with pytest.raises(StartError, match=f"VUMETER_STORE_PASSWORD_FILE {problem}"):
        read_store_password(load_settings(store_password_file=file))
