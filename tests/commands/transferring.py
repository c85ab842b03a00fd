"""`vumeter export` and `vumeter import` as this process runs them, against a running product."""

from __future__ import annotations

import contextlib
import io
import os
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any
from unittest import mock

import click
import requests
from tests.stack import Stack

from vumeter_server.access.keys import NewKey
from vumeter_server.access.roles import Role
from vumeter_server.cli import vumeter

_numbers = count(1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """What a command ended with."""

    status: int
    out: str
    err: str
    data: bytes = field(repr=False)
    """What it wrote to stdout."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Clinic:
    """An organization of this test alone."""

    stack: Stack
    name: str
    key: NewKey
    has_token: bool = False
    """Whether commands show the admin token in the place of the key."""

    @classmethod
    def of(cls, stack: Stack, role: Role = Role.OWNER) -> Clinic:
        """Make an organization and a key."""
        name = f"Transfers {next(_numbers)}"
        return cls(stack=stack, name=name, key=stack.make_key(name, role))

    def request(self, path: str, body: Any = None) -> Any:
        """Ask a path of custom metrics; return the JSON of its answer."""
        verb = "GET" if body is None else "POST"
        answer = requests.request(
            verb,
            f"{self.stack.rest_url}/v1/custom-metrics{path}",
            json=body,
            headers={"authorization": f"Bearer {self.key.bearer}"},
            timeout=20,
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def record(self, *points: dict[str, Any]) -> None:
        """Record points as one batch."""
        assert self.request("", {"points": points}) == {"data": {"recorded": len(points)}}

    def run(self, *arguments: str | Path, stdin: bytes = b"", target: str = "") -> Ended:
        """Run a command with this organization's key."""
        out, err = io.TextIOWrapper(io.BytesIO()), io.StringIO()
        with (
            mock.patch.dict(os.environ, self.environment),
            mock.patch("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin))),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            target = target or self.stack.grpc_target
            status = _status([*map(str, arguments), "--target", target])
        out.flush()
        data = out.buffer.getvalue() if isinstance(out.buffer, io.BytesIO) else b""
        text = data.decode(errors="replace")
        return Ended(status=status, out=text, err=err.getvalue(), data=data)

    @property
    def environment(self) -> dict[str, str]:
        """What the commands read the key from."""
        if self.has_token:
            return {"VUMETER_ADMIN_TOKEN": self.stack.admin_token, "VUMETER_API_KEY": ""}
        return {"VUMETER_API_KEY": self.key.key_id, "VUMETER_SECRET_KEY": self.key.secret}

    @property
    def pair(self) -> dict[str, str]:
        """The headers that paths of simulation metrics take."""
        return {"x-api-key": self.key.key_id, "x-secret-key": self.key.secret}

    def with_token(self) -> Clinic:
        """Return the same with the admin token."""
        return replace(self, has_token=True)

    def export(self, file: Path | str, *options: str) -> Ended:
        """Export points; that has to work."""
        ended = self.run("export", "custom-metrics", file, *options)
        assert ended.status == 0, ended.err
        return ended

    def load(self, file: Path | str, *options: str, stdin: bytes = b"") -> Ended:
        """Import points."""
        return self.run("import", "custom-metrics", file, *options, stdin=stdin)

    def lines(self) -> list[bytes]:
        """Return all points as lines of NDJSON."""
        return self.export("-").data.splitlines()


def _status(arguments: list[str]) -> int:
    try:
        status = vumeter.main(arguments, prog_name="vumeter", standalone_mode=False)
    except click.ClickException as error:
        click.echo(f"vumeter: {error.format_message()}", err=True)
        return 2
    return status if isinstance(status, int) else 0
