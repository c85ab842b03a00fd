"""How a caller shows who it is, and whether it may call a method."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from vumeter_server.access import keys
from vumeter_server.access.authenticator import Authenticator, Caller
from vumeter_server.access.roles import Access, Scheme
from vumeter_server.errors import PermissionDenied

Metadata = Mapping[str, str | bytes]


async def find_caller(
    access: Access, metadata: Metadata, authenticator: Authenticator
) -> Caller | None:
    """Return the caller, None where no key is asked for and for the admin token.

    Raises Unauthenticated without a valid credential.
    """
    if access.scheme is Scheme.PUBLIC:
        return None
    if access.scheme is Scheme.LIVE and "x-admin-token" in metadata:
        authenticator.check_admin_token(_text(metadata, "x-admin-token"))
        return None
    return await authenticator.caller(_credential(access.scheme, metadata))


def check_role(access: Access, caller: Caller | None) -> None:
    """Raise PermissionDenied if the caller's role or tenant may not call the method."""
    if caller is None:
        return
    if caller.role not in access.roles or (access.all_tenants and caller.tenant_id is not None):
        raise PermissionDenied


def _credential(scheme: Scheme, metadata: Metadata) -> keys.Credential | None:
    if scheme in {Scheme.BEARER, Scheme.BEARER_OR_BASIC, Scheme.LIVE}:
        kind, _, shown = (_text(metadata, "authorization") or "").partition(" ")
        if kind.lower() == "basic" and scheme is Scheme.BEARER_OR_BASIC:
            return _parse_basic(shown.strip())
        return keys.parse_bearer(shown.strip()) if kind.lower() == "bearer" else None
    return keys.credential(
        _text(metadata, "x-api-key") or "", _text(metadata, "x-secret-key") or ""
    )


def _parse_basic(shown: str) -> keys.Credential | None:
    """Read user and password of RFC 7617."""
    try:
        user, _, password = base64.b64decode(shown, validate=True).decode().partition(":")
    except ValueError:
        return None
    return keys.credential(user, password)


def _text(metadata: Metadata, name: str) -> str | None:
    value = metadata.get(name)
    return value if isinstance(value, str) else None
