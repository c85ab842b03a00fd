"""How a caller shows who it is, by family, and which roles a method is open to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto

from vumeter_server.access import keys
from vumeter_server.access.authenticator import Authenticator, Caller
from vumeter_server.access.keys import Role
from vumeter_server.errors import PermissionDenied

Metadata = Mapping[str, str | bytes]


class Scheme(Enum):
    """Where a credential is looked for: in metadata, which is the headers of a REST call."""

    PUBLIC = auto()
    """No credential is asked for."""
    BEARER = auto()
    """`authorization: Bearer <key id>.<secret>`"""
    KEY_PAIR = auto()
    """`x-api-key: <key id>` and `x-secret-key: <secret>`"""
    ADMIN_TOKEN = auto()
    """`x-admin-token`, the server's own"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """What a method asks of its callers."""

    scheme: Scheme
    roles: frozenset[Role] = frozenset(Role)

    def only(self, *roles: Role) -> Access:
        """Return the same, open to these roles alone."""
        return replace(self, roles=frozenset(roles))


PUBLIC = Access(scheme=Scheme.PUBLIC)
BEARER = Access(scheme=Scheme.BEARER)
KEY_PAIR = Access(scheme=Scheme.KEY_PAIR)
ADMIN_TOKEN = Access(scheme=Scheme.ADMIN_TOKEN)


async def find_caller(
    access: Access, metadata: Metadata, authenticator: Authenticator
) -> Caller | None:
    """Return the caller, None where no key is asked for.

    Raises Unauthenticated without a good credential.
    """
    if access.scheme is Scheme.PUBLIC:
        return None
    if access.scheme is Scheme.ADMIN_TOKEN:
        authenticator.check_admin_token(_text(metadata, "x-admin-token"))
        return None
    return await authenticator.caller(_credential(access.scheme, metadata))


def check_role(access: Access, caller: Caller | None) -> None:
    """Raise PermissionDenied if the caller's role is not among the method's."""
    if caller is not None and caller.role not in access.roles:
        raise PermissionDenied


def _credential(scheme: Scheme, metadata: Metadata) -> keys.Credential | None:
    if scheme is Scheme.BEARER:
        kind, _, shown = (_text(metadata, "authorization") or "").partition(" ")
        return keys.parse_bearer(shown.strip()) if kind.lower() == "bearer" else None
    return keys.credential(
        _text(metadata, "x-api-key") or "", _text(metadata, "x-secret-key") or ""
    )


def _text(metadata: Metadata, name: str) -> str | None:
    value = metadata.get(name)
    return value if isinstance(value, str) else None
