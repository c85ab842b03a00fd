"""`python -m tests.clickhouse.serve DIRECTORY`: a cluster of three nodes until stdin ends.

It prints VUMETER_STORE of an empty database. The benchmark, which has no pytest, runs it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.clickhouse.cluster import new_database, running_cluster


def main(directory: str) -> None:
    """Serve."""
    with running_cluster(Path(directory)) as cluster:
        sys.stdout.write(f"{cluster.store(new_database())}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
