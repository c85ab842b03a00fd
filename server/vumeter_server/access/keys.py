"""API keys: how they are created, written and checked. Nothing here knows where they are stored."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from vumeter_server.access.organizations import is_one_line
from vumeter_server.access.roles import Role

MAX_LABEL = 100
LABEL_PROBLEM = f"must have 1 to {MAX_LABEL} characters and no control characters"

KEY_ID_PREFIX = "vmk_"
_KEY_ID = re.compile(r"vmk_[a-z2-7]{20}\Z")
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,128}\Z")

# Compared against when a key id is unknown, so that the answer takes as long as for a known one.
_DUMMY_SHA256 = hashlib.sha256(secrets.token_bytes(32)).digest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Credential:
    """A key as a caller shows it."""

    key_id: str
    secret: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NewKey:
    """A key that was just created; its secret is nowhere else."""

    key_id: str
    secret: str

    @property
    def bearer(self) -> str:
        """The key as the Authorization header takes it, after `Bearer `."""
        return f"{self.key_id}.{self.secret}"


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredKey:
    """A key as it is stored: the secret's SHA-256, whose it is, and until when it is active."""

    key_id: str
    organization_id: int
    role: Role
    secret_sha256: bytes
    expires_us: int | None
    revoked_us: int | None
    tenant_id: str | None = None
    """The only tenant that the key is for; None if it is bound to none."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """The limits that its organization has of its own, by the names of `Limits`."""

    def is_active_at(self, now_us: int) -> bool:
        """Whether the key is neither revoked nor expired."""
        return self.revoked_us is None and (self.expires_us is None or now_us < self.expires_us)


def is_key_label(text: str) -> bool:
    """Whether a key may have this label: 1 to 100 characters, no control characters."""
    return is_one_line(text, MAX_LABEL)


def new_key() -> NewKey:
    """Create a key: an id of 20 random base32 characters, a secret of 256 random bits."""
    random = base64.b32encode(secrets.token_bytes(13)).decode().lower()[:20]
    return NewKey(key_id=KEY_ID_PREFIX + random, secret=secrets.token_urlsafe(32))


def rotated_expiry(created_us: int, expires_us: int | None, now_us: int) -> int | None:
    """Return until when a key that replaces another is active: for the lifetime of the other."""
    return None if expires_us is None else now_us + (expires_us - created_us)


def parse_bearer(text: str) -> Credential | None:
    """Read `<key id>.<secret>`; None if it cannot be a key."""
    key_id, _, secret = text.partition(".")
    return credential(key_id, secret)


def credential(key_id: str, secret: str) -> Credential | None:
    """Return the credential, or None if it cannot be a key."""
    if _KEY_ID.match(key_id) and _SECRET.match(secret):
        return Credential(key_id=key_id, secret=secret)
    return None


def secret_digest(secret: str) -> bytes:
    """Return what is stored of a secret. It is 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(secret.encode()).digest()


def secret_matches(secret: str, key: StoredKey | None) -> bool:
    """Compare in constant time, against a dummy if there is no such key."""
    stored = _DUMMY_SHA256 if key is None else key.secret_sha256
    return hmac.compare_digest(secret_digest(secret), stored) and key is not None
