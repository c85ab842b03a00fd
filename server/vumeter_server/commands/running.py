"""Where a running product answers, kept in a file beside its database for other terminals."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import click
import msgspec

from vumeter_server.commands.database import store_address
from vumeter_server.runtime.settings import DEFAULT_DB
from vumeter_server.runtime.store_address import SqliteAddress
from vumeter_server.supervisor.endpoints import Endpoints

ANSWERS_WITHIN_SECONDS = 2.0


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A running product: its addresses, and the files of what a first start created."""

    rest: str
    """The base URL of the REST API."""
    grpc: str
    """The gRPC target, host:port."""
    admin_token_file: str | None = None
    """None where the operator gave the token."""
    key_file: str | None = None

    @classmethod
    def of(
        cls, endpoints: Endpoints, *, admin_token: Path | None = None, key: Path | None = None
    ) -> Self:
        """Return the file's content for a product that has just started."""
        return cls(
            rest=endpoints.rest_url,
            grpc=str(endpoints.grpc.from_here),
            admin_token_file=str(admin_token.resolve()) if admin_token else None,
            key_file=str(key.resolve()) if key else None,
        )


def database_path(db: Path | None) -> Path:
    """Return `db`, else the file that VUMETER_STORE or VUMETER_DB names, else the default.

    Beside it is what a start leaves for commands, also of a product on a cluster.
    """
    address = store_address(db)
    return address.path if isinstance(address, SqliteAddress) else DEFAULT_DB


@contextlib.contextmanager
def published(db: Path, running: Running) -> Iterator[None]:
    """Keep the file for the length of the context."""
    path = _file_of(db)
    write_for_this_user(path, msgspec.json.encode(running).decode())
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def find_running(db: Path) -> Running:
    """Return the product that serves a database.

    That there is none, or that it does not answer, is one line and status 2.
    """
    try:
        running = msgspec.json.decode(_file_of(db).read_bytes(), type=Running)
        _check(running)
    except (OSError, msgspec.DecodeError):
        raise click.ClickException(
            f"no server runs with {db}: start `vumeter up`, or name another file with --db"
        ) from None
    return running


def write_for_this_user(path: Path, text: str) -> None:
    """Write a file that only this user can read, in the place of what was there.

    Who reads meanwhile sees the old file or the new one, whole.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text + "\n")
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def _file_of(db: Path) -> Path:
    return db.with_name(f"{db.name}.running")


def _check(running: Running) -> None:
    """Raise OSError unless the product answers: one that was killed leaves its file behind."""
    if running.rest.startswith("https:"):
        # It may ask for a certificate, and its own may be of an authority that is not known here.
        found = urllib.parse.urlsplit(running.rest)
        address = (found.hostname or "", found.port or 443)
        socket.create_connection(address, ANSWERS_WITHIN_SECONDS).close()
        return
    # What the environment names as a proxy is not for this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{running.rest}/healthz", timeout=ANSWERS_WITHIN_SECONDS):
            pass
    except urllib.error.HTTPError:
        # It answers, if only that it is not well.
        pass
