"""What loads pandas by itself, and does not here."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from vumeter_server.commands.files.formats import require_parquet
pyarrow, parquet = require_parquet()
pyarrow.array(["booking"]).cast(pyarrow.dictionary(pyarrow.int32(), pyarrow.string()))
print("pandas" in sys.modules)
print(pyarrow.table({"turns": [2]}).to_pandas().turns.sum())
"""


def test_tables_are_made_without_pandas_and_can_become_data_frames() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "False\n2\n"
