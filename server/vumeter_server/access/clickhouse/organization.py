"""What happened to an organization, entry by entry, and what it is after that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import msgspec
import pyarrow as pa

from vumeter_server.access.keys import NewKey, StoredKey, secret_digest
from vumeter_server.access.roles import Role


class RowKind(StrEnum):
    """What a row of an entry says."""

    CREATED = "created"
    KEY = "key"
    REVOKED = "revoked"
    LABELED = "labeled"
    LIMITS = "limits"
    CODE = "code"
    CODE_USED = "code_used"
    KEY_DROPPED = "key_dropped"
    DELETED = "deleted"
    ERASED = "erased"
    AUDIT = "audit"


class KeyContent(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored of a key that was created."""

    role: str
    secret_sha256: bytes
    expires_us: int | None
    tenant_id: str | None
    label: str | None = None
    by_sign_in: bool = False


class SignInCode(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored of the code of a sign-in link, beside its hash."""

    for_live: bool
    expires_us: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A row of an entry: what happened when, to which key or code, with what as JSON."""

    kind: RowKind
    occurred_us: int
    key_id: str = ""
    content: bytes = b""


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldKey:
    """A key, when it was created, its label, and whether signing in created it."""

    stored: StoredKey
    created_us: int
    label: str | None
    by_sign_in: bool = False


@dataclass(slots=True)
class Organization:
    """An organization after the entries up to number `seq`; with none, there is none yet."""

    organization_id: int
    seq: int = 0
    name: str = ""
    created_us: int = 0
    is_deleted: bool = False
    is_erased: bool = False
    keys: dict[str, HeldKey] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=dict)
    codes: dict[str, SignInCode] = field(default_factory=dict)
    """Codes of sign-in links that may be good still, by their hashes."""

    @property
    def exists(self) -> bool:
        """Whether it was created and not deleted."""
        return self.seq > 0 and not self.is_deleted

    def apply(self, seq: int, rows: Sequence[Row]) -> None:
        """Take in the entry `seq`; one that it knows changes nothing."""
        if seq > self.seq:
            self.seq = seq
            for row in rows:
                self._apply(row)

    def _apply(self, row: Row) -> None:
        match row.kind:
            case RowKind.CREATED:
                self.name = row.content.decode()
                self.created_us = row.occurred_us
            case RowKind.KEY:
                self.keys[row.key_id] = self._key(row)
            case RowKind.REVOKED:
                key = self.keys[row.key_id]
                stored = replace(key.stored, revoked_us=row.occurred_us)
                self.keys[row.key_id] = replace(key, stored=stored)
            case RowKind.LABELED:
                label = msgspec.json.decode(row.content, type=str | None)
                self.keys[row.key_id] = replace(self.keys[row.key_id], label=label)
            case RowKind.LIMITS:
                for name, value in msgspec.json.decode(row.content).items():
                    self.limits.pop(name, None)
                    if value is not None:
                        self.limits[name] = value
            case RowKind.CODE | RowKind.CODE_USED:
                self._apply_to_codes(row)
            case RowKind.KEY_DROPPED:
                self.keys.pop(row.key_id, None)
            case RowKind.DELETED:
                self.is_deleted = True
                self.keys.clear()
                self.limits.clear()
                self.codes.clear()
            case RowKind.ERASED:
                self.is_erased = True
            case RowKind.AUDIT:
                pass

    def _apply_to_codes(self, row: Row) -> None:
        self.codes.pop(row.key_id, None)
        if row.kind is RowKind.CODE:
            self.codes[row.key_id] = msgspec.json.decode(row.content, type=SignInCode)

    def _key(self, row: Row) -> HeldKey:
        content = msgspec.json.decode(row.content, type=KeyContent)
        return HeldKey(
            stored=StoredKey(
                key_id=row.key_id,
                organization_id=self.organization_id,
                role=Role(content.role),
                secret_sha256=content.secret_sha256,
                expires_us=content.expires_us,
                revoked_us=None,
                tenant_id=content.tenant_id,
            ),
            created_us=row.occurred_us,
            label=content.label,
            by_sign_in=content.by_sign_in,
        )


def created(name: str, now_us: int) -> Row:
    """Return that an organization is created."""
    return Row(kind=RowKind.CREATED, occurred_us=now_us, content=name.encode())


def key_created(
    key: NewKey,
    role: Role,
    expires_us: int | None,
    tenant_id: str | None,
    label: str | None,
    now_us: int,
    *,
    by_sign_in: bool = False,
) -> Row:
    """Return that a key is created."""
    content = KeyContent(
        role=role.value,
        secret_sha256=secret_digest(key.secret),
        expires_us=expires_us,
        tenant_id=tenant_id,
        label=label,
        by_sign_in=by_sign_in,
    )
    encoded = msgspec.json.encode(content)
    return Row(kind=RowKind.KEY, occurred_us=now_us, key_id=key.key_id, content=encoded)


def key_labeled(key_id: str, label: str | None, now_us: int) -> Row:
    """Return that a key has another label, None for none."""
    return Row(
        kind=RowKind.LABELED,
        occurred_us=now_us,
        key_id=key_id,
        content=msgspec.json.encode(label),
    )


def code_created(code_sha256: bytes, code: SignInCode, now_us: int) -> Row:
    """Return that a code of a sign-in link is created."""
    return Row(
        kind=RowKind.CODE,
        occurred_us=now_us,
        key_id=code_sha256.hex(),
        content=msgspec.json.encode(code),
    )


def limits_changed(changed: Mapping[str, int | None], now_us: int) -> Row:
    """Return that some limits are changed, None for the default."""
    encoded = msgspec.json.encode(dict(changed))
    return Row(kind=RowKind.LIMITS, occurred_us=now_us, content=encoded)


def block_of(organization_id: int, rows: Sequence[Row]) -> pa.Table:
    """Return the rows of an entry as they are inserted."""
    columns: dict[str, Any] = {
        "organization": pa.array([organization_id] * len(rows), pa.int64()),
        "kind": [row.kind.value for row in rows],
        "occurred_us": pa.array([row.occurred_us for row in rows], pa.int64()),
        "key_id": [row.key_id for row in rows],
        "content": [row.content.decode() for row in rows],
    }
    return pa.table(columns)
