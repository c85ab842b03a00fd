"""A database that version 0.1.0 wrote, and what it answered.

It holds two organizations: one with segments, days of several segments, compacted rollups, a write-
ahead log, sessions, values of several decimals and a deleted metric whose name came again with
another type; one that has nothing but a log. Calls have ended, failed, been rejected and gone on;
an execution has more calls than one page of latencies. Its keys are in `answers.json.xz`.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import requests
from tests.stack import Stack

_MADE: Final = Path(__file__).parent / "database_of_0_1_0"
# Its data is of 2025: nothing of it may grow old however late the tests run.
SETTINGS: Final = {
    "VUMETER_RETENTION_DAYS": "100000",
    "VUMETER_CALL_TTL": "100000d",
    "VUMETER_ACCESS_LOG": "false",
}


def unpack(directory: Path) -> Path:
    """Write the database into `directory`; return its path."""
    path = directory / "vumeter.db"
    path.write_bytes(lzma.decompress((_MADE / "vumeter.db.xz").read_bytes()))
    return path


def _load() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(
        lzma.decompress((_MADE / "answers.json.xz").read_bytes()).decode()
    )
    return loaded


_LOADED = _load()
ANSWERS: Final[list[dict[str, Any]]] = _LOADED["answers"]
"""Each with organization, path, query, status and answer."""


def headers_of(organization: str, admin_token: str) -> dict[str, str]:
    """Return every credential of an organization's owner, so that each family finds its own."""
    key = _LOADED["keys"][organization]
    return {
        "Authorization": f"Bearer {key['bearer']}",
        "X-Api-Key": key["key_id"],
        "X-Secret-Key": key["secret"],
        "X-Admin-Token": admin_token,
    }


def ask(stack: Stack, asked: dict[str, Any]) -> tuple[int, Any]:
    """Ask a product what 0.1.0 was asked; return status and JSON."""
    answered = requests.get(
        stack.rest_url + asked["path"],
        params=asked["query"],
        headers=headers_of(asked["organization"], stack.admin_token),
        timeout=30,
    )
    return answered.status_code, answered.json()


def differing(stack: Stack, asking: Sequence[dict[str, Any]] = ANSWERS) -> list[dict[str, Any]]:
    """Return what of `asking` is answered in another way than 0.1.0 did, with the answers."""
    found = []
    for each in asking:
        status, answer = ask(stack, each)
        if (status, answer) != (each["status"], each["answer"]):
            found.append({**each, "now": (status, answer)})
    return found
