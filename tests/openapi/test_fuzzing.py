"""schemathesis sends what the document describes, and what it does not, to the product.

Every check of schemathesis is on. `fuzzing/hooks.py` tells it the rules that JSON Schema cannot
express. `make test-openapi` goes on for an hour with new random requests.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.openapi.reading import ROOT
from tests.stack import Stack

from vumeter_server.access.roles import Role

CONFIG = Path(__file__).resolve().parent / "fuzzing" / "schemathesis.toml"
MINUTES = os.environ.get("TEST_OPENAPI")
# Chosen once, so that a run of CI that fails fails again.
SEED = "1"
FEW_EXAMPLES = "4"


def effort() -> Sequence[str]:
    """Return how much is tried: the same requests each time, or new ones for so many minutes."""
    if MINUTES is not None:
        phases = "examples,coverage,fuzzing,stateful"
        return ("--max-time", str(int(MINUTES) * 60), "--phases", phases)
    # The phase `coverage` sends thousands of requests.
    return ("--seed", SEED, "--max-examples", FEW_EXAMPLES, "--phases", "examples,fuzzing")


@pytest.mark.timeout(0 if MINUTES is not None else 600)
def test_schemathesis_finds_nothing(stack: Stack, tmp_path: Path) -> None:
    key = stack.make_key("Schemathesis", Role.OWNER)
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--no-color", "--config-file", str(CONFIG)),
        *("run", f"{stack.rest_url}/openapi.json", "--url", stack.rest_url),
        *("--report", "json", "--report-json-path", str(tmp_path / "report.json")),
        *("--workers", "2"),
        *effort(),
    ]
    done = subprocess.run(
        command,
        # It keeps what it learned in the folder that it runs in.
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SCHEMATHESIS_HOOKS": "tests.openapi.fuzzing.hooks",
            "VUMETER_KEY": key.bearer,
            "VUMETER_KEY_ID": key.key_id,
            "VUMETER_SECRET": key.secret,
            "VUMETER_ADMIN_TOKEN": stack.admin_token,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
