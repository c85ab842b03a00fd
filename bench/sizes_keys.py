"""Writes organizations and keys into a database: `python -m bench.sizes_keys FILE COUNT KEYS`.

A server may run on it. All of them are written in one transaction: a command for each would take
hours. It prints one line of JSON, as `bench.sizes_loads` does.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from pathlib import Path
from typing import Any

from vumeter_server.sqlite import open_database

FIRST_ID = 1_000


def bearer_of(number: int) -> str:
    """Return the credential of a key; that of number n is of organization n modulo their count."""
    return f"{_key_id(number)}.{_secret(number)}"


def _key_id(number: int) -> str:
    digits = "abcdefghijklmnopqrstuvwxyz234567"
    return "vmk_" + "".join(digits[number >> 5 * place & 31] for place in range(20))


def _secret(number: int) -> str:
    return f"secret-{number}"


def write_keys(path: Path, organizations: int, keys: int) -> None:
    """Write so many organizations, and so many keys among them in turns."""
    now_us = time.time_ns() // 1_000

    def job(connection: Any) -> None:
        connection.executemany(
            "INSERT INTO organizations (organization_id, name, created_us) VALUES (?, ?, ?)",
            ((number + FIRST_ID, f"odd-{number}", now_us) for number in range(organizations)),
        )
        connection.executemany(
            "INSERT INTO api_keys (key_id, organization_id, role, secret_sha256, created_us)"
            " VALUES (?, ?, 'owner', ?, ?)",
            (
                (
                    _key_id(number),
                    number % organizations + FIRST_ID,
                    hashlib.sha256(_secret(number).encode()).digest(),
                    now_us,
                )
                for number in range(keys)
            ),
        )

    open_database(path).write(job)


def main() -> None:
    """Write them."""
    parser = argparse.ArgumentParser(prog="python -m bench.sizes_keys", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("organizations", type=int)
    parser.add_argument("keys", type=int)
    given = parser.parse_args()
    started = time.perf_counter()
    write_keys(given.file, given.organizations, given.keys)
    print(json.dumps({"recorded": given.keys, "seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    main()
