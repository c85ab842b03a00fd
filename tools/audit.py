"""Looks the pinned packages up among known vulnerabilities; where it cannot, it says so.

The exit status is 1 if a package has one, 0 if none has, or if no database can be reached.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
# The product and its tools, and what its tests install elsewhere.
LOCKS: Final = (
    "requirements.lock",
    "deploy/requirements.lock",
    "deploy/build-requirements.lock",
    "bench/requirements.lock",
    "tools/requirements.lock",
    "tools/audit.lock",
    "tests/clients/frameworks/livekit.lock",
    "tests/clients/frameworks/pipecat.lock",
    "tests/fuzz/requirements.lock",
)
# Two databases: one may be out of reach.
SERVICES: Final = ("pypi", "osv")
TIMEOUT_SECONDS: Final = 15


def main() -> int:
    """Audit each lock file; return the exit status."""
    status = 0
    for name in LOCKS:
        found = next(
            (found for each in SERVICES if (found := _audit(ROOT / name, each)) is not None), None
        )
        if found is None:
            # The next ones would wait as long, and find as little.
            print(f"{name} and what follows: no database of vulnerabilities can be reached")
            return status
        looked_up, faults = found
        print(f"{name}: {looked_up} packages looked up, {len(faults)} known vulnerabilities")
        for fault in faults:
            print(f"    {fault}")
            status = 1
    return status


def _audit(lock: Path, service: str) -> tuple[int, list[str]] | None:
    """Return how many packages a database knows, and their faults; None if it knows none."""
    command: Sequence[str] = (
        *(sys.executable, "-m", "pip_audit", "--requirement", str(lock)),
        # The lock names all of it: nothing is resolved, nothing is installed.
        *("--disable-pip", "--require-hashes", "--progress-spinner", "off"),
        *("--vulnerability-service", service, "--timeout", str(TIMEOUT_SECONDS)),
        *("--format", "json"),
    )
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        # It could not be asked.
        return None
    # A mirror may serve packages and know nothing of their faults: then it finds no package.
    known = [package for package in packages if "skip_reason" not in package]
    if not known:
        return None
    faults = [
        f"{package['name']} {package['version']}: {fault['id']}, mended in"
        f" {', '.join(fault['fix_versions']) or 'no version'}"
        for package in known
        for fault in package["vulns"]
    ]
    return len(known), faults


if __name__ == "__main__":
    sys.exit(main())
