"""`vumeter keys` and `vumeter organizations`, without a server and beside a running one."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from tests.commands.command import at_terminal, parsed, try_vumeter, vumeter
from tests.stack import Stack
from tests.waiting import until

from vumeter_server.sqlite.library import sqlite3

HEEDED_WITHIN_SECONDS = 1.0


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "metrics" / "vumeter.db"


def create(db: Path, *arguments: str, organization: str = "harbour-dental") -> dict[str, str]:
    key: dict[str, str] = parsed(
        vumeter(
            *("keys", "create", "--create", "--organization", organization, "--format", "json"),
            *arguments,
            db=db,
        )
    )
    return key


def names_status(stack: Stack, bearer: str) -> int:
    return requests.get(
        f"{stack.rest_url}/v1/custom-metrics/names",
        headers={"Authorization": f"Bearer {bearer}"},
        timeout=10,
    ).status_code


def test_creating_a_key_makes_the_database_and_the_organization(db: Path) -> None:
    key = create(db, "--role", "admin")
    assert key == {
        "key_id": key["key_id"],
        "secret": key["secret"],
        "bearer": f"{key['key_id']}.{key['secret']}",
        "organization": "harbour-dental",
        "role": "admin",
        "tenant": None,
        "label": None,
        "expires_at": None,
    }
    assert re.fullmatch(r"vmk_[a-z2-7]{20}", key["key_id"])
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", key["secret"])
    (organization,) = parsed(vumeter("organizations", "list", "--format", "json", db=db))
    assert (organization["name"], organization["good_keys"]) == ("harbour-dental", 1)


def test_a_database_that_does_not_exist_is_created_only_if_that_is_asked_for(db: Path) -> None:
    run = try_vumeter("keys", "create", "--organization", "acme", "--role", "admin", db=db)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == f"vumeter: {db} does not exist; --create creates it\n"
    assert not db.parent.exists()
    create(db, "--role", "admin")
    create(db, "--role", "member")


def test_the_secret_is_stored_nowhere(db: Path) -> None:
    key = create(db, "--role", "owner")
    stored = b"".join(file.read_bytes() for file in db.parent.iterdir())
    assert key["key_id"].encode() in stored
    assert key["secret"].encode() not in stored


def test_as_text_a_key_is_a_line_a_field(db: Path) -> None:
    printed = vumeter(
        *("keys", "create", "--create", "--db", str(db)),
        *("--organization", "Praxis Dr. Höß", "--role", "member"),
    )
    fields = dict(line.split(maxsplit=1) for line in printed.splitlines())
    assert list(fields) == [
        *("key_id", "secret", "bearer", "organization", "role", "tenant", "label", "expires_at")
    ]
    assert fields["organization"] == "Praxis Dr. Höß"
    assert fields["bearer"] == f"{fields['key_id']}.{fields['secret']}"


def test_a_lifetime_is_written_as_steps_are(db: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    key = create(db, "--role", "admin", "--expires-in", "12w6d")
    expires = datetime.fromisoformat(key["expires_at"])
    assert timedelta(days=90) <= expires - before <= timedelta(days=90, minutes=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--organization", "", "--role", "admin"), "must have 1 to 128 characters"),
        (("--organization", "a" * 129, "--role", "admin"), "must have 1 to 128 characters"),
        (("--organization", "two\nlines", "--role", "admin"), "no control characters"),
        (("--organization", "acme", "--role", "viewer"), "'owner', 'admin', 'member'"),
        (("--organization", "acme"), "Missing option '--role'"),
        (
            ("--organization", "acme", "--role", "admin", "--tenant", "clinic"),
            "'--tenant': goes with --role operator or reporter alone",
        ),
        (("--organization", "acme", "--role", "operator", "--tenant", ""), "must be given"),
        (
            ("--organization", "acme", "--role", "operator", "--tenant", "a" * 257),
            "must be at most 256 characters",
        ),
        (
            ("--organization", "acme", "--role", "reporter", "--tenant", "two\nlines"),
            "must not hold control characters",
        ),
        (("--role", "admin"), "Missing option '--organization'"),
        (
            ("--organization", "acme", "--role", "admin", "--label", "a" * 101),
            "'--label': must have 1 to 100 characters",
        ),
        (
            ("--organization", "acme", "--role", "admin", "--label", "two\nlines"),
            "'--label': must have 1 to 100 characters and no control characters",
        ),
        (("--organization", "acme", "--role", "admin", "--expires-in", "soon"), "30s, 5m, 1h"),
        (("--organization", "acme", "--role", "admin", "--expires-in", "0d"), "30s, 5m, 1h"),
    ],
)
def test_a_wrong_option_is_one_line_and_makes_nothing(
    db: Path, arguments: tuple[str, ...], message: str
) -> None:
    run = try_vumeter("keys", "create", "--create", *arguments, db=db)
    assert (run.returncode, run.stdout) == (2, "")
    (line,) = run.stderr.splitlines()
    assert message in line
    assert not db.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("keys", "list"),
        ("keys", "revoke", "vmk_aaaaaaaaaaaaaaaaaaaa"),
        ("keys", "rotate", "vmk_aaaaaaaaaaaaaaaaaaaa"),
        ("organizations", "list"),
        ("metrics", "list", "--organization", "acme"),
        ("metrics", "delete", "--organization", "acme", "booking_attempt", "--yes"),
    ],
)
def test_every_other_command_wants_a_database_that_exists(
    db: Path, arguments: tuple[str, ...]
) -> None:
    run = try_vumeter(*arguments, db=db)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == f"vumeter: {db} does not exist\n"
    assert not db.exists()


def test_a_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    db = tmp_path / "other.db"
    connection = sqlite3.connect(db)
    connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()
    run = try_vumeter("keys", "create", "--organization", "acme", "--role", "admin", db=db)
    assert run.returncode == 2
    assert run.stderr == f"vumeter: {db} is a database of another program\n"


def test_an_unusable_setting_of_the_server_does_not_hinder_a_command(db: Path) -> None:
    vumeter(
        *("keys", "create", "--create", "--organization", "acme", "--role", "admin"),
        db=db,
        VUMETER_ADMIN_TOKEN="too short",
        VUMETER_REST_PORT="http",
    )


def test_keys_are_listed_by_organization_with_their_state(db: Path) -> None:
    soon_expired = create(db, "--role", "admin", "--expires-in", "1ms")
    revoked = create(db, "--role", "member", organization="acme")
    good = create(db, "--role", "owner", organization="acme")
    assert vumeter("keys", "revoke", revoked["key_id"], db=db) == (
        f"{revoked['key_id']} is revoked\n"
    )
    listed = parsed(vumeter("keys", "list", "--format", "json", db=db))
    assert [(key["key_id"], key["organization"], key["state"]) for key in listed] == [
        (revoked["key_id"], "acme", "revoked"),
        (good["key_id"], "acme", "good"),
        (soon_expired["key_id"], "harbour-dental", "expired"),
    ]
    assert "secret" not in listed[0]
    listed = parsed(
        vumeter("keys", "list", "--organization", "harbour-dental", "--format", "json", db=db)
    )
    assert [key["key_id"] for key in listed] == [soon_expired["key_id"]]


def test_the_tenant_of_a_key_is_printed_listed_and_kept_by_its_successor(db: Path) -> None:
    tenant = "clinic münchen/1"
    bound = create(db, "--role", "reporter", "--tenant", tenant)
    free = create(db, "--role", "operator")
    assert (bound["role"], bound["tenant"]) == ("reporter", tenant)
    assert not free["tenant"]
    rotated = parsed(vumeter("keys", "rotate", bound["key_id"], "--format", "json", db=db))
    assert (rotated["role"], rotated["tenant"]) == ("reporter", tenant)
    listed = parsed(vumeter("keys", "list", "--format", "json", db=db))
    assert {key["key_id"]: key["tenant"] for key in listed} == {
        bound["key_id"]: tenant,
        free["key_id"]: None,
        rotated["key_id"]: tenant,
    }
    header, *rows = vumeter("keys", "list", db=db).splitlines()
    assert header.split("\t")[-1] == "tenant"
    assert sorted(row.split("\t")[-1] for row in rows) == ["-", tenant, tenant]


def test_lists_are_tables_at_a_terminal_and_tabs_elsewhere(db: Path) -> None:
    key = create(db, "--role", "admin", organization="Brackets [bold]")
    header, row = vumeter("keys", "list", db=db).splitlines()
    assert header.split("\t") == [
        *("key_id", "organization", "role", "state", "expires_at", "last_used_at")
    ]
    assert row.split("\t") == [key["key_id"], "Brackets [bold]", "admin", "good", "-", "-"]
    status, screen = at_terminal("keys", "list", db=db)
    assert status == 0
    assert "\t" not in screen
    assert re.search(rf"^{key['key_id']}  Brackets \[bold\]  admin  good ", screen, re.MULTILINE)


def test_an_unknown_key_cannot_be_revoked_or_replaced(db: Path) -> None:
    create(db, "--role", "admin")
    run = try_vumeter("keys", "revoke", "vmk_aaaaaaaaaaaaaaaaaaaa", db=db)
    assert run.returncode == 2
    assert run.stderr == "vumeter: there is no key vmk_aaaaaaaaaaaaaaaaaaaa\n"
    run = try_vumeter("keys", "rotate", "vmk_aaaaaaaaaaaaaaaaaaaa", db=db)
    assert run.returncode == 2
    assert run.stderr == "vumeter: there is no key vmk_aaaaaaaaaaaaaaaaaaaa that is still good\n"


def test_a_revoked_key_can_be_revoked_again_but_not_replaced(db: Path) -> None:
    key = create(db, "--role", "admin")
    for _ in range(2):
        vumeter("keys", "revoke", key["key_id"], db=db)
    assert try_vumeter("keys", "rotate", key["key_id"], db=db).returncode == 2


def test_a_revoked_key_is_refused_within_a_second(stack: Stack) -> None:
    key = create(stack.db_path, "--role", "admin")
    assert names_status(stack, key["bearer"]) == 200
    vumeter("keys", "revoke", key["key_id"], db=stack.db_path)
    until(
        lambda: names_status(stack, key["bearer"]) == 401,
        seconds=HEEDED_WITHIN_SECONDS,
    )


def test_a_new_key_is_good_at_once_and_expires_within_a_second(stack: Stack) -> None:
    key = create(stack.db_path, "--role", "admin", "--expires-in", "3s")
    made = time.monotonic()
    assert names_status(stack, key["bearer"]) == 200
    until(lambda: names_status(stack, key["bearer"]) == 401, seconds=3 + HEEDED_WITHIN_SECONDS)
    # The clock of the key started before the command had printed it.
    assert time.monotonic() - made > 1


def test_a_replaced_key_keeps_organization_role_and_lifetime(stack: Stack) -> None:
    old = create(stack.db_path, "--role", "admin", "--expires-in", "90d", organization="rotating")
    assert names_status(stack, old["bearer"]) == 200
    new = parsed(vumeter("keys", "rotate", old["key_id"], "--format", "json", db=stack.db_path))
    assert (new["organization"], new["role"]) == ("rotating", "admin")
    assert new["expires_at"] >= old["expires_at"]
    assert new["key_id"] != old["key_id"]
    assert names_status(stack, new["bearer"]) == 200
    until(lambda: names_status(stack, old["bearer"]) == 401, seconds=HEEDED_WITHIN_SECONDS)


def test_the_last_use_of_a_key_is_listed(stack: Stack) -> None:
    key = create(stack.db_path, "--role", "admin", organization="used")

    def last_used() -> str | None:
        listed = vumeter(
            "keys", "list", "--organization", "used", "--format", "json", db=stack.db_path
        )
        found: str | None = parsed(listed)[0]["last_used_at"]
        return found

    assert last_used() is None
    assert names_status(stack, key["bearer"]) == 200
    until(lambda: last_used() is not None, seconds=15)
