"""A writer of organizations, keys and sign-in links, as commands do it beside servers."""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final, TypeVar

import grpc
from tests.clickhouse.cluster import ClickHouseCluster
from tests.clickhouse.killed_servers import KNOWN_WITHIN_SECONDS
from tests.clickhouse.racing_writers import Writer
from tests.waiting import until

from vumeter_server.access.clickhouse.administration import ClickHouseKeyAdministration
from vumeter_server.access.clickhouse.sign_in import ClickHouseSignInAdministration
from vumeter_server.access.keys import NewKey
from vumeter_server.access.roles import Role
from vumeter_server.clickhouse import ClickHouse
from vumeter_server.clickhouse.blocking import BlockingClickHouse
from vumeter_server.clickhouse.http import HttpClickHouse
from vumeter_server.errors import DeadlineExceeded, Unavailable

T = TypeVar("T")

GET_CALLER: Final = "vumeter.access.v1.AccessService/GetCaller"
SIGN_IN: Final = "vumeter.access.v1.AccessService/SignIn"
HONORED_WITHIN_SECONDS: Final = 60.0


class KeysWriter(Writer):
    """Two commands make an organization at one time; a key of it is revoked, or all of it goes."""

    def __init__(self, cluster: ClickHouseCluster, database: str, *given: Any) -> None:
        super().__init__(*given)
        self._clusters = [_blocking(cluster, database, first) for first in range(3)]
        self.kept: dict[str, list[str]] = {}
        """The keys of each organization that is still there; the first one is revoked."""
        self.deleted: list[str] = []
        self.extra = 0
        """How many keys there may be of which nobody has heard."""

    def write(self, number: int) -> None:
        chance = random.Random(f"{self.name}/{number}")
        name = f"{self.name}-{number}"
        keys = list(
            self._racing.map(
                lambda place: self._done(
                    lambda cluster: ClickHouseKeyAdministration(cluster).create_key(
                        name, Role.OWNER, None
                    ),
                    f"{name}/{place}",
                ),
                range(2),
            )
        )
        for key in keys:
            self._is_answered(key, grpc.StatusCode.OK, chance)
        self._sign_in(name, chance)
        revoked = keys[0].key_id
        assert self._done(
            lambda cluster: ClickHouseKeyAdministration(cluster).revoke_key(revoked), name
        )
        self._is_answered(keys[0], grpc.StatusCode.UNAUTHENTICATED, chance)
        if number % 3:
            self.kept[name] = [key.key_id for key in keys]
            return
        # Of two tries, the first of which nobody has heard, the second finds nothing to delete.
        self._done(
            lambda cluster: ClickHouseKeyAdministration(cluster).delete_organization(name), name
        )
        self.deleted.append(name)
        self._is_answered(keys[1], grpc.StatusCode.UNAUTHENTICATED, chance)

    def _sign_in(self, name: str, chance: random.Random) -> None:
        code = self._done(
            lambda cluster: ClickHouseSignInAdministration(cluster).create_code(
                name, for_live=False
            ),
            name,
        )
        assert code is not None
        tries = list(
            self._racing.map(
                lambda place: self.servers.settled(
                    SIGN_IN, {"code": code}, {}, random.Random(f"{name}/{place}")
                ),
                range(2),
            )
        )
        got = [reply for reply, _ in tries if reply.code is grpc.StatusCode.OK]
        not_known = sum(each for _, each in tries)
        self.not_known += not_known
        # Whoever has not heard of his keys comes too late when he asks again.
        assert len(got) == 1 or (not_known and not got), tries
        self.extra += 1

    def _is_answered(self, key: NewKey, code: grpc.StatusCode, chance: random.Random) -> None:
        """A command's change is seen by every server within a moment."""
        credentials = {"authorization": f"Bearer {key.bearer}"}

        def is_so() -> bool:
            reply, not_known = self.servers.settled(GET_CALLER, {}, credentials, chance)
            self.not_known += not_known
            return reply.code is code

        until(is_so, seconds=HONORED_WITHIN_SECONDS)

    def _done(self, work: Callable[[BlockingClickHouse], T], seed: str) -> T:
        """Do what a command does until it says that it is done, by whichever node."""
        chance = random.Random(f"done/{seed}")
        done: list[T] = []

        def is_done() -> bool:
            try:
                done.append(work(chance.choice(self._clusters)))
            except (Unavailable, DeadlineExceeded):
                self.not_known += 1
                self.extra += 1
            return bool(done)

        until(is_done, seconds=KNOWN_WITHIN_SECONDS, every_seconds=0.05)
        return done[0]


def _blocking(cluster: ClickHouseCluster, database: str, first: int) -> BlockingClickHouse:
    @contextlib.asynccontextmanager
    async def opening() -> AsyncIterator[ClickHouse]:
        clickhouse = HttpClickHouse.at(cluster.address(database, first=first), "")
        try:
            yield clickhouse
        finally:
            await clickhouse.close()

    return BlockingClickHouse(opening)


def assert_keys_are_as_told(
    administration: ClickHouseKeyAdministration, writers: Sequence[KeysWriter]
) -> int:
    """Every organization and key is there once, and as it was left; return how many keys."""
    names = [each.name for each in administration.list_organizations()]
    assert len(names) == len(set(names))
    listed = administration.list_keys()
    by_id = {each.key_id: each for each in listed}
    assert len(by_id) == len(listed)
    told = 0
    for writer in writers:
        assert set(writer.kept) <= set(names)
        assert not set(writer.deleted) & set(names)
        for name, (revoked, active) in writer.kept.items():
            assert by_id[revoked].organization == by_id[active].organization == name
            assert by_id[revoked].revoked_us is not None
            assert by_id[active].revoked_us is None
        told += 2 * len(writer.kept)
        of_writer = [each for each in listed if each.organization.startswith(f"{writer.name}-")]
        assert len(of_writer) <= 2 * len(writer.kept) + writer.extra
    return told
