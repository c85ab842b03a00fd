"""Who does something that the audit notes: a key, the admin token, a user, or the server."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True, slots=True)
class Actor:
    """Who did something: a key, a user with a command, or, with nothing of it, the server.

    `key_id` is `admin_token` for who shows that.
    """

    key_id: str | None = None
    user: str | None = None
    command: str | None = None


SERVER: Final = Actor()
ADMIN_TOKEN: Final = Actor(key_id="admin_token")
_command: ContextVar[str | None] = ContextVar("command", default=None)


@contextmanager
def by_command(command: str) -> Iterator[None]:
    """Name the command that does whatever this process does in the context."""
    token = _command.set(command)
    try:
        yield
    finally:
        _command.reset(token)


def this_user() -> Actor:
    """Return the user of this process, before sudo, and the command that runs."""
    try:
        user = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        # A container may run as a number without a name.
        user = str(os.getuid())
    return Actor(user=user, command=_command.get())
