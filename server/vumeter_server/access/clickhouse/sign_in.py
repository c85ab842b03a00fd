"""Codes of sign-in links: on ClickHouse none are created yet, so none is good."""

from __future__ import annotations

from collections.abc import Sequence

from vumeter_server.access.sign_in import SignInKey


class NoSignInCodes:
    """Implements SignInCodes where no code was ever created."""

    async def redeem(self, code_sha256: bytes) -> Sequence[SignInKey]:
        """Find no such code."""
        return ()
