"""Secrets are compared in full, whatever store keeps their digests."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vumeter_server.access.keys import StoredKey, new_key, secret_digest, secret_matches
from vumeter_server.access.roles import Role

KEY = new_key()
STORED = StoredKey(
    key_id=KEY.key_id,
    organization_id=1,
    role=Role.OWNER,
    secret_sha256=secret_digest(KEY.secret),
    expires_us=None,
    revoked_us=None,
)


@pytest.mark.parametrize(
    "change",
    [
        lambda secret: secret[:-1],
        lambda secret: secret + "A",
        lambda secret: secret.swapcase(),
        lambda secret: "",
    ],
)
def test_only_the_secret_itself_matches(change: Callable[[str], str]) -> None:
    assert secret_matches(KEY.secret, STORED)
    assert not secret_matches(change(KEY.secret), STORED)


def test_no_secret_matches_an_unknown_key() -> None:
    assert not secret_matches(KEY.secret, None)
