"""What the suite of the migration's contracts runs on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

from tests.otlp.decoded import NOW_US

from vumeter_server.store_migration.stores import MigrationStores

Engine: TypeAlias = Callable[[], AbstractAsyncContextManager[MigrationStores]]
"""Opens the stores with all that was written before."""


class SettableClock:
    """A clock that a test sets; it never goes by itself."""

    def __init__(self) -> None:
        self.now_us = NOW_US

    def __call__(self) -> int:
        return self.now_us
