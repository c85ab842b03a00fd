"""The use case of signing in by a link; both APIs sign in through this function."""

from __future__ import annotations

from collections.abc import Sequence

from vumeter_server.access.keys import secret_digest
from vumeter_server.access.sign_in import SignInKey
from vumeter_server.access.store import SignInCodes
from vumeter_server.errors import InvalidArgument, Unauthenticated

PROBLEM = "The sign-in code was used before, has expired or is not known"


async def sign_in(codes: SignInCodes, code: str) -> Sequence[SignInKey]:
    """Exchange the code of a link for keys.

    Raises:
        InvalidArgument: there is no code.
        Unauthenticated: the code was used before, has expired or was never given out.
    """
    if not code:
        raise InvalidArgument.of("code", "must be given")
    keys = await codes.redeem(secret_digest(code))
    if not keys:
        raise Unauthenticated(PROBLEM)
    return keys
