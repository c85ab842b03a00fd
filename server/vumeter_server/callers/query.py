"""The use case of asking about one's own credential; both APIs ask through this function."""

from __future__ import annotations

from vumeter_server.access.authenticator import Caller
from vumeter_server.access.store import KeyInfo, KeyLookup
from vumeter_server.errors import Unauthenticated

ADMIN_TOKEN = "admin_token"  # noqa: S105
"""The role of the admin token, which is no key's."""


async def key_of(keys: KeyLookup, caller: Caller | None) -> KeyInfo | None:
    """Return the key of a caller, None for the admin token.

    Raises:
        Unauthenticated: the key was deleted meanwhile.
    """
    if caller is None:
        return None
    key = await keys.find_key_info(caller.key_id)
    if key is None:
        raise Unauthenticated
    return key
