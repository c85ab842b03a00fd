"""What commands that delete share: what is asked before, and who does the work."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

import click

from vumeter_server.sqlite import Database, DatabaseError

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
T = TypeVar("T")

LOOKS_EVERY_SECONDS = 0.1


def deletion_options(function: Decorated) -> Decorated:
    """Add --dry-run and --yes."""
    for option in (
        click.option("--yes", is_flag=True, help="Do not ask."),
        click.option("--dry-run", is_flag=True, help="Count, and delete nothing."),
    ):
        function = option(function)
    return function


def check_can_ask(*, dry_run: bool, yes: bool) -> None:
    """Exit where nobody can be asked, and nobody agreed beforehand."""
    if not (dry_run or yes or sys.stdin.isatty()):
        raise click.UsageError("give --yes: there is no terminal to ask at")


def is_agreed(question: str, *, yes: bool) -> bool:
    """Whether somebody agrees to a deletion, or did so by --yes."""
    return yes or click.confirm(question, err=True)


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number with what it is of: `1 call`, `1,200 calls`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def finished(database: Database, outcome: Callable[[], T | None], work: Callable[[], None]) -> T:
    """Wait until what the file asks for is done, by the server or, without one, by `work`.

    A server that stops meanwhile leaves the rest to this process. `outcome` returns None until it
    is done, and raises DatabaseError if it never will be.
    """
    while (done := outcome()) is None:
        try:
            claim = database.lock_for_serving()
        except DatabaseError:
            time.sleep(LOOKS_EVERY_SECONDS)
            continue
        try:
            work()
        finally:
            os.close(claim)
    return done
