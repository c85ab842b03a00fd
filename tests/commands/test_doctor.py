"""`vumeter doctor`: what is wrong is named, and what is right is not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.commands.command import at_terminal, parsed, try_vumeter, vumeter
from tests.commands.copies import execute, new_database
from tests.disks import small_disk
from tests.stack import ADMIN_TOKEN, Stack
from tests.tls.authority import Authority
from tests.upgrade.old_database import unpack

from vumeter_server.commands.diagnosis import product_checks
from vumeter_server.commands.diagnosis.file_checks import file_system_of
from vumeter_server.commands.diagnosis.finding import FindingStatus
from vumeter_server.commands.diagnosis.tls_checks import check_tls
from vumeter_server.commands.doctor import examine_file
from vumeter_server.edge import config
from vumeter_server.runtime.clock import system_clock
from vumeter_server.runtime.settings import Settings
from vumeter_server.times.units import DAY_US, HOUR_US

ENVIRONMENT = {"VUMETER_ADMIN_TOKEN": ADMIN_TOKEN}
Rows = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_database(tmp_path_factory.mktemp("template"))


@pytest.fixture
def database(template: Path, tmp_path: Path) -> Path:
    """A database of no server, in which nothing is wrong."""
    path = tmp_path / "vumeter.db"
    shutil.copy(template, path)
    return path


def diagnosed(db: Path, *options: str, status: int, **environment: str) -> Rows:
    done = try_vumeter(
        "doctor", "--format", "json", *options, db=db, **{**ENVIRONMENT, **environment}
    )
    assert done.stderr == ""
    assert done.returncode == status, done.stdout
    return {row["check"]: row for row in parsed(done.stdout)}


def wrong(rows: Rows) -> dict[str, str]:
    """Return the verdicts that are not ok."""
    found = {check: row["status"] for check, row in rows.items() if row["status"] != "ok"}
    for check, row in rows.items():
        assert (not row["advice"]) == (check not in found), row
    return found


def examined(db: Path) -> Rows:
    """Return what is found of a file, without the command and without the product."""
    return {
        each.check: {"status": each.status.value, "found": each.found, "advice": each.advice}
        for each in examine_file(db)
    }


def test_beside_a_running_server_nothing_is_wrong(stack: Stack) -> None:
    port = stack.grpc_target.rpartition(":")[2]
    rows = diagnosed(stack.db_path, "--strict", status=0, VUMETER_GRPC_PORT=port)
    assert wrong(rows) == {}
    assert rows["server"]["found"].endswith(f" answers on 127.0.0.1:{port} and is healthy")
    (server,) = [pid for pid in stack.children() if f"process {pid} " in rows["server"]["found"]]
    assert rows["open files"]["found"].endswith(f" in process {server}")
    rows = diagnosed(stack.db_path, status=0, VUMETER_GRPC_PORT="1")
    assert wrong(rows) == {"server": "warning"}


def test_without_a_server_nothing_is_wrong_and_at_a_terminal_it_says_so(database: Path) -> None:
    assert wrong(examined(database)) == {}
    status, screen = at_terminal("doctor", db=database)
    assert status == 0
    assert "VUMETER_ADMIN_TOKEN is not set here" in screen
    assert screen.endswith("\n1 warnings\n")


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (f"UPDATE server_clock SET seen_us = seen_us + {2 * HOUR_US}", "problem"),
        ("UPDATE server_clock SET untrusted_for_us = 1", "problem"),
    ],
)
def test_a_clock_that_is_wrong_is_a_problem(database: Path, statement: str, expected: str) -> None:
    execute(
        database,
        "INSERT OR REPLACE INTO server_clock (row, seen_us)"
        " SELECT 1, max(created_us) FROM api_keys",
        statement,
    )
    assert wrong(examined(database)) == {"clock": expected}


def test_what_was_recorded_long_ago_warns_of_the_clock_and_of_no_backup(database: Path) -> None:
    execute(
        database,
        "DROP TRIGGER IF EXISTS audit_entries_stay",
        f"UPDATE organizations SET created_us = created_us - {30 * DAY_US}",
    )
    assert wrong(diagnosed(database, "--strict", status=1)) == {"backup": "warning"}
    vumeter("backup", str(database.with_name("copy.db")), db=database)
    assert wrong(examined(database)) == {}


def test_files_that_others_may_open_are_a_warning(database: Path) -> None:
    database.chmod(0o644)
    rows = examined(database)
    assert wrong(rows) == {"file modes": "warning"}
    assert rows["file modes"]["advice"] == f"chmod 600 {database}"


def zeros(path: Path) -> None:
    path.write_bytes(bytes(8192))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5_000])


def of_another_program(path: Path) -> None:
    execute(path, "DELETE FROM _sqlite_migrations")


def of_a_newer_version(path: Path) -> None:
    execute(path, "UPDATE _sqlite_migrations SET name = 'm9999' WHERE name = 'm0001_access'")


@pytest.mark.parametrize("spoil", [zeros, cut, of_another_program, of_a_newer_version])
def test_a_file_that_no_server_starts_on_is_a_problem(
    database: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(database)
    assert wrong(examined(database)) == {"database": "problem"}


def test_a_database_of_an_earlier_version_is_left_as_it_is(tmp_path: Path) -> None:
    path = unpack(tmp_path)
    path.chmod(0o600)
    before = path.read_bytes()
    rows = examined(path)
    assert rows["database"]["status"] == "warning"
    assert "the next start upgrades it" in rows["database"]["advice"]
    assert path.read_bytes() == before


def test_no_file_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    rows = diagnosed(path, status=0)
    assert wrong(rows) == {"database": "warning"}
    assert not path.exists()


def test_a_disk_that_is_nearly_full_is_a_problem(template: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path, 12) as disk:
        path = disk / "vumeter.db"
        shutil.copy(template, path)
        assert file_system_of(path) == "tmpfs"
        assert wrong(examined(path)) == {
            "disk room": "problem",
            "file system": "warning",
        }


def test_a_long_log_is_a_warning(database: Path) -> None:
    log = Path(f"{database}-wal")
    log.touch(0o600)
    with log.open("wb") as file:
        file.truncate(200 << 20)
    assert wrong(examined(database)) == {"write-ahead log": "warning"}


def test_settings_that_are_not_valid_are_a_problem_that_shows_no_secret(database: Path) -> None:
    rows = diagnosed(database, status=1, VUMETER_ADMIN_TOKEN="short-secret")
    assert wrong(rows) == {"settings": "problem"}
    assert "short-secret" not in str(rows)
    rows = diagnosed(database, status=0, VUMETER_SEAL_AT_POINTS="5")
    assert rows["settings"]["found"] == (
        "VUMETER_SEAL_AT_POINTS is now called VUMETER_FLUSH_AT_POINTS"
    )


def test_an_installation_that_lacks_something_is_a_problem(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = config.edge_files()
    other = tmp_path / "api.binpb"
    other.write_bytes(files.descriptor_set.read_bytes().replace(b"GetNames", b"GetGames"))
    spoiled = config.EdgeFiles(envoy_yaml=files.envoy_yaml, descriptor_set=other)
    monkeypatch.setattr(config, "edge_files", lambda: spoiled)
    found = {each.check: each for each in product_checks.check_product(database)}
    assert found["descriptor set"].status is FindingStatus.PROBLEM
    assert "custom_metrics_rest.proto is not the one" in found["descriptor set"].found
    other.write_bytes(b"\xff\xff")
    found = {each.check: each for each in product_checks.check_product(database)}
    assert found["descriptor set"].status is FindingStatus.PROBLEM
    assert found["Envoy"].status is FindingStatus.PROBLEM
    assert found["Envoy"].found.startswith("refuses its configuration: ")


@pytest.mark.parametrize(
    ("days", "status"), [(-1, "problem"), (13, "warning"), (15, "ok")], ids=str
)
def test_a_certificate_that_has_expired_or_will_soon_is_named(
    tmp_path: Path, days: int, status: str
) -> None:
    until = datetime.now(UTC) + timedelta(days=days)
    pair = Authority(tmp_path / "tls").issue("server", "127.0.0.1", not_after=until)
    settings = Settings(tls_cert=pair.certificate, tls_key=pair.key)
    (found,) = check_tls(settings, system_clock())
    assert found.status.value == status
    assert until.strftime("%Y-%m-%dT%H:%M:%S") in found.found


def test_a_certificate_without_its_key_is_a_problem(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "tls")
    pair, other = (authority.issue(name, "127.0.0.1") for name in ("one", "other"))
    (found,) = check_tls(Settings(tls_cert=pair.certificate, tls_key=other.key), system_clock())
    assert found.status.value == "problem"
    assert "are not a certificate and its key" in found.found
    (found,) = check_tls(Settings(), system_clock())
    assert (found.status.value, found.found) == ("ok", "not used")
