"""Servers of one cluster, without Envoy, that a test kills and starts again while it asks them."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message
from tests.end_to_end.api import BY_NAME
from tests.stack import ADMIN_TOKEN
from tests.waiting import until

from vumeter_server.runtime.parent_death import ending_with_parent

STARTED_WITHIN_SECONDS: Final = 120
ASKED_FOR_SECONDS: Final = 30
KNOWN_WITHIN_SECONDS: Final = 300
"""Within which one of the servers says what was done, however many are killed meanwhile."""
NOT_KNOWN: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
"""The answers that leave open whether something was done."""


@dataclass(frozen=True)
class Reply:
    """What a server answered."""

    code: grpc.StatusCode
    message: Any = None


class KilledServer:
    """A process of `vumeter serve`."""

    def __init__(self, directory: Path, store: str) -> None:
        self._directory = directory
        self._store = store
        directory.mkdir()
        self.start()

    def start(self) -> None:
        """Start it, for the first time or again."""
        # Its port is another one each time.
        self._said = self._directory / "stdout.log"
        with self._said.open("w") as said, (self._directory / "stderr.log").open("a") as log:
            command = [sys.executable, "-m", "vumeter_server.cli", "serve", "--grpc-port", "0"]
            self._process = subprocess.Popen(
                ending_with_parent(command),
                env={
                    **os.environ,
                    "VUMETER_ADMIN_TOKEN": ADMIN_TOKEN,
                    "VUMETER_CALL_TTL": "36500d",
                    "VUMETER_STORE": self._store,
                    "VUMETER_METRICS_PORT": "off",
                    "VUMETER_LIMIT_REQUESTS_PER_SECOND": "0",
                    "VUMETER_LIMIT_POINTS_PER_SECOND": "0",
                },
                stdout=said,
                stderr=log,
            )

    def wait_until_it_answers(self) -> None:
        """Wait for what was started."""
        until(self._has_started, seconds=STARTED_WITHIN_SECONDS)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.wait()

    def ask(
        self, name: str, request: Message | Mapping[str, Any], credentials: Mapping[str, str]
    ) -> Reply:
        """Call a method, of which a mapping is the request as JSON."""
        method = BY_NAME.get(name)
        if not isinstance(request, Message):
            assert method is not None
            request = ParseDict(dict(request), method.request_type()())
        call: Any = self._channel.unary_unary(
            f"/{name}",
            request_serializer=lambda sent: sent.SerializeToString(),
            response_deserializer=bytes if method is None else method.response_type().FromString,
        )
        try:
            answer = call(request, metadata=tuple(credentials.items()), timeout=ASKED_FOR_SECONDS)
        except grpc.RpcError as error:
            return Reply(error.code(), error.details())
        except ValueError:
            # Its channel was closed for that of the process that follows.
            return Reply(grpc.StatusCode.UNAVAILABLE)
        return Reply(grpc.StatusCode.OK, answer)

    def _has_started(self) -> bool:
        log = self._directory / "stderr.log"
        assert self._process.poll() is None, f"a server does not start: {log.read_text()}"
        found = re.search(r"gRPC on (\S+)\n", self._said.read_text())
        if found is not None:
            self._channel = grpc.insecure_channel(found[1])
        return found is not None


class KilledServers:
    """Some servers; whoever asks has one or the other answer."""

    def __init__(self, directory: Path, store: str, number: int) -> None:
        self.servers: Sequence[KilledServer] = [
            KilledServer(directory / f"server-{each}", store) for each in range(number)
        ]
        for server in self.servers:
            server.wait_until_it_answers()

    def close(self) -> None:
        """End them all."""
        for server in self.servers:
            server.kill()

    def settled(
        self,
        name: str,
        request: Message | Mapping[str, Any],
        credentials: Mapping[str, str],
        chance: random.Random,
    ) -> tuple[Reply, int]:
        """Ask until an answer says what was done; return it, and how many did not."""
        replies: list[Reply] = []

        def is_known() -> bool:
            replies.append(chance.choice(self.servers).ask(name, request, credentials))
            return replies[-1].code not in NOT_KNOWN

        until(is_known, seconds=KNOWN_WITHIN_SECONDS, every_seconds=0.05)
        return replies[-1], len(replies) - 1
