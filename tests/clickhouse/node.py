"""A process of its own that is a ClickHouse server: `python node.py LIBRARY DIRECTORY CONFIG HOST`.

It is the engine of libchdb, told to listen: there is no other server that comes as a package. The
library only listens when it is asked so on a terminal, which this gives it.
"""

from __future__ import annotations

import ctypes
import os
import pty
import sys

_QUERY = (
    "SYSTEM START LISTEN TCP; SYSTEM START LISTEN HTTP;"
    " SELECT sleepEachRow(3) FROM system.numbers FORMAT Null SETTINGS max_block_size = 1,"
    " max_execution_time = 0, function_sleep_max_microseconds_per_block = 4000000"
)


def main(library: str, directory: str, config: str, host: str) -> None:
    """Serve until killed."""
    _terminal, its_end = pty.openpty()
    os.dup2(its_end, 0)
    arguments = [
        *("clickhouse", "--interactive", f"--path={directory}", f"--config-file={config}"),
        *(f"--listen_host={host}", "--tcp_port=9000", "--http_port=8123", f"--query={_QUERY}"),
    ]
    engine = ctypes.CDLL(library)
    engine.chdb_query_cmdline.restype = ctypes.c_void_p
    engine.chdb_query_cmdline.argtypes = [ctypes.c_int, ctypes.POINTER(ctypes.c_char_p)]
    engine.chdb_query_cmdline(
        len(arguments), (ctypes.c_char_p * len(arguments))(*map(str.encode, arguments))
    )


if __name__ == "__main__":
    main(*sys.argv[1:5])
