"""`make run` without its installation: what it prints works, and is kept for the next start."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.commands.command import vumeter
from tests.waiting import until

from vumeter_server.runtime.parent_death import ending_with_parent

ENDS_WITH = "Ctrl-C ends server and Envoy."


@contextlib.contextmanager
def started(directory: Path, **environment: str) -> Iterator[str]:
    """Start it with a database in `directory`; give what it prints until it is ready."""
    inherited = {name: value for name, value in os.environ.items() if "VUMETER" not in name}
    settings = {
        "VUMETER_DB": str(directory / "data" / "vumeter.db"),
        "VUMETER_REST_PORT": "0",
        "VUMETER_GRPC_PORT": "0",
        "VUMETER_ACCESS_LOG": "false",
    }
    with (directory / "stdout").open("w") as stdout, (directory / "stderr").open("w") as stderr:
        process = subprocess.Popen(
            ending_with_parent([sys.executable, "-m", "vumeter_server.quickstart"]),
            env=inherited | settings | environment,
            stdout=stdout,
            stderr=stderr,
        )
        try:
            until(lambda: ENDS_WITH in (directory / "stdout").read_text(), seconds=90)
            yield (directory / "stdout").read_text()
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=40)


def key_in(printed: str) -> str:
    (bearer,) = re.findall(r"^  (vmk_\S+)$", printed, re.MULTILINE)
    return str(bearer)


def token_in(printed: str) -> str:
    (token,) = re.findall(r"^Admin token.*:\n  (\S+)$", printed, re.MULTILINE)
    return str(token)


def run_printed(printed: str) -> list[str]:
    """Run the requests as they are printed; return what each answers."""
    lines = printed.partition("Try, in another terminal:\n")[2].partition("\n\n")[0]
    script = "set -eu\n" + lines.replace("curl ", "curl --silent --show-error --fail -w '\\n' ")
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, (script, done.stderr)
    return [line for line in done.stdout.splitlines() if line]


def test_the_requests_that_are_printed_work_and_the_next_start_has_the_same_key(
    tmp_path: Path,
) -> None:
    with started(tmp_path, VUMETER_DEMO="0") as first:
        answers = run_printed(first)
        assert answers[:2] == [
            '{"data":{"recorded":1}}',
            '{"data":["booking_attempt"]}',
        ]
        assert '"metrics":{"booking_attempt":1' in answers[2]
        assert len(answers) == 3
    data = tmp_path / "data"
    kept = {path.name: path.read_text() for path in (data / "admin-token", *data.glob("*-key"))}
    assert kept == {
        "admin-token": token_in(first) + "\n",
        "vumeter.demo-key": key_in(first) + "\n",
    }
    assert {stat.S_IMODE((data / name).stat().st_mode) for name in kept} == {0o600}
    with started(tmp_path, VUMETER_DEMO="0") as second:
        assert (key_in(second), token_in(second)) == (key_in(first), token_in(first))
        vumeter("keys", "revoke", key_in(second).partition(".")[0], db=data / "vumeter.db")
    # A key that is not good any more is replaced; a token that is set is not kept.
    token = "token-of-the-environment-0123456789abcdef"
    with started(tmp_path, VUMETER_DEMO="0", VUMETER_ADMIN_TOKEN=token) as third:
        assert key_in(third) != key_in(first)
        assert "Admin token" not in third
        assert run_printed(third)[1] == '{"data":["booking_attempt"]}'
    assert (data / "vumeter.demo-key").read_text() == key_in(third) + "\n"
    assert (data / "admin-token").read_text() == token_in(first) + "\n"


def test_with_demo_data_the_requests_are_about_it(tmp_path: Path) -> None:
    with started(tmp_path, VUMETER_DEMO="1") as printed:
        recorded, names, *answers = run_printed(printed)
    assert recorded == '{"data":{"recorded":1}}'
    assert "e2e_latency_ms" in names
    assert len(answers) == 4
    assert '"topic"' in answers[1]
    assert '"count":12' in answers[3]
