"""Commands that ask a running server over gRPC, as any client does."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click
import grpc
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status

from vumeter_server.commands.remote_tls import RemoteTls

KEY_VARIABLE = "VUMETER_API_KEY"
SECRET_VARIABLE = "VUMETER_SECRET_KEY"  # noqa: S105 - the name, not the secret
TOKEN_VARIABLE = "VUMETER_ADMIN_TOKEN"  # noqa: S105 - see above

CALL_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Remote:
    """An open channel, and the metadata that shows the key."""

    channel: grpc.Channel
    metadata: tuple[tuple[str, str], ...]


@contextlib.contextmanager
def connected(target: str, *, tls: RemoteTls | None, admin_token: bool = False) -> Iterator[Remote]:
    """Open a channel with the key from VUMETER_API_KEY and VUMETER_SECRET_KEY.

    With `admin_token`, that of VUMETER_ADMIN_TOKEN will do where there is no key.

    What the server rejects, and what cannot be reached, becomes one line on stderr and status 2.
    """
    key_id, secret = (os.environ.get(name, "") for name in (KEY_VARIABLE, SECRET_VARIABLE))
    token = os.environ.get(TOKEN_VARIABLE, "") if admin_token else ""
    # Families look for a key in different places.
    shown: tuple[tuple[str, str], ...] = (
        ("x-api-key", key_id),
        ("x-secret-key", secret),
        ("authorization", f"Bearer {key_id}.{secret}"),
    )
    if token and not (key_id and secret):
        shown = (("x-admin-token", token),)
    elif not key_id or not secret:
        raise click.ClickException(
            f"{KEY_VARIABLE} and {SECRET_VARIABLE} must hold a key id and its secret"
        )
    opened = (
        grpc.secure_channel(target, grpc.ssl_channel_credentials(tls.ca, tls.key, tls.certificate))
        if tls is not None
        else grpc.insecure_channel(target)
    )
    with opened as channel:
        try:
            yield Remote(channel=channel, metadata=shown)
        except grpc.RpcError as error:
            raise click.ClickException(f"{target}: {message_of(error)}") from error


def message_of(error: Any) -> str:
    """Return what an error says, in one line."""
    code: grpc.StatusCode = error.code()
    if code is grpc.StatusCode.UNAVAILABLE:
        return "the server cannot be reached, or is busy"
    return error.details() or code.name


def violations_of(error: Any) -> list[tuple[str, str]]:
    """Return the fields that an error names, with the whole sentence about each."""
    packed = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
    violations = []
    for detail in Status.FromString(packed).details:
        bad_request = BadRequest()
        if detail.Unpack(bad_request):
            violations += [(each.field, each.description) for each in bad_request.field_violations]
    return violations
