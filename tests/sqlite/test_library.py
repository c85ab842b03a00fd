"""Which libraries come into a process with SQLite."""

from __future__ import annotations

import subprocess
import sys

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
