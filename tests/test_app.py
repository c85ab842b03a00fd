"""The assembly: what becomes of a server whose background work fails or ends."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc

from vumeter_server import app
from vumeter_server.access.authenticator import Authenticator
from vumeter_server.access.keys import Credential, StoredKey, new_key, secret_digest
from vumeter_server.access.roles import Role
from vumeter_server.access.store import KeyInfo
from vumeter_server.api import server as server_module
from vumeter_server.runtime.periodic import BackgroundEnded
from vumeter_server.runtime.settings import Settings
from vumeter_server.sqlite.library import sqlite3

WITHIN_SECONDS = 20.0


def settings(directory: Path) -> Settings:
    return Settings(db=directory / "vumeter.db", grpc_port=0)


class BrokenOnce:
    """Keys whose times of last use cannot be saved at the first try, for a reason nobody knows."""

    def __init__(self, key: StoredKey) -> None:
        self._key = key
        self.tried = 0
        self.saved: asyncio.Queue[Mapping[str, int]] = asyncio.Queue()

    async def find_key_info(self, key_id: str) -> KeyInfo | None:
        return None

    async def labels(self, key_ids: Collection[str]) -> Mapping[str, str]:
        return {}

    async def find_key(self, key_id: str) -> StoredKey | None:
        return self._key

    async def keys_of(self, organization_id: int, most: int) -> list[KeyInfo]:
        return []

    async def save_last_used(self, used: Mapping[str, int]) -> None:
        self.tried += 1
        if self.tried == 1:
            raise ValueError("broken")
        self.saved.put_nowait(used)


async def test_times_of_last_use_are_saved_after_an_unexpected_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(app, "LAST_USED_SAVED_EVERY_SECONDS", 0.01)
    created = new_key()
    keys = BrokenOnce(
        StoredKey(
            key_id=created.key_id,
            organization_id=1,
            role=Role.MEMBER,
            secret_sha256=secret_digest(created.secret),
            expires_us=None,
            revoked_us=None,
        )
    )
    authenticator = Authenticator(keys, "", lambda: 1_000_000)
    await authenticator.caller(Credential(key_id=created.key_id, secret=created.secret))
    saving: asyncio.Task[Any] = asyncio.create_task(app._save_last_used(authenticator))
    used = await asyncio.wait_for(keys.saved.get(), WITHIN_SECONDS)
    assert used == {created.key_id: 1_000_000}
    saving.cancel()


@pytest.fixture
def _ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ends(authenticator: Authenticator) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(app, "_save_last_used", ends)
    monkeypatch.setattr(server_module, "DRAIN_NOTICE_SECONDS", 0.0)


@pytest.mark.usefixtures("_ends_at_once")
async def test_health_says_not_serving_when_background_work_ends(tmp_path: Path) -> None:
    ended: list[str] = []
    async with (
        app.running(settings(tmp_path), on_background_end=ended.append) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        stub = health_pb2_grpc.HealthStub(channel)
        async for answer in stub.Watch(health_pb2.HealthCheckRequest(), timeout=WITHIN_SECONDS):
            if answer.status == health_pb2.HealthCheckResponse.NOT_SERVING:
                break
    assert ended == ["save_last_used"]


@pytest.mark.usefixtures("_ends_at_once")
async def test_a_server_whose_background_work_ends_stops_and_says_which(tmp_path: Path) -> None:
    with pytest.raises(BackgroundEnded, match="save_last_used"):
        await asyncio.wait_for(
            app.serve(settings(tmp_path), on_ready=lambda port: None), WITHIN_SECONDS
        )


async def test_the_log_names_the_version_of_sqlite_when_the_server_has_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "DRAIN_NOTICE_SECONDS", 0.0)
    stop = asyncio.Event()
    ports: list[int] = []
    stop.set()
    with structlog.testing.capture_logs() as logged:
        await app.serve(settings(tmp_path), on_ready=ports.append, stop=stop)
    (started,) = [each for each in logged if each["event"] == "started"]
    assert (started["port"], started["storage_version"]) == (ports[0], sqlite3.sqlite_version)
