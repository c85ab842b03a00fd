"""Which libraries come into a process with SQLite."""

from __future__ import annotations

import subprocess
import sys

import pytest

from vumeter_server.sqlite.library import SQLITE_VERSION, has_wal_reset_fault

PROGRAM = """
import sys
import vumeter_server.app
import vumeter_server.cli
import vumeter_server.commands.db
import vumeter_server.demo.loading
print(sorted({"pandas", "pyarrow"} & set(sys.modules)))
import pandas
print(pandas.DataFrame({"turns": [2]}).turns.sum())
"""


def test_pandas_that_is_installed_is_not_loaded_and_can_be() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n2\n"


@pytest.mark.parametrize(
    ("version", "is_faulty"),
    [
        ("3.40.1", True),
        ("3.44.5", True),
        ("3.44.6", False),
        ("3.45.0", True),
        ("3.50.6", True),
        ("3.50.7", False),
        ("3.51.2", True),
        ("3.51.3", False),
        ("4.0.0", False),
        (SQLITE_VERSION, False),
    ],
)
def test_versions_that_can_lose_a_commit_are_known(version: str, is_faulty: bool) -> None:
    assert has_wal_reset_fault(version) is is_faulty
