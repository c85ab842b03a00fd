"""A product started by somebody who has nothing yet, and the second terminal beside it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.waiting import until

from vumeter_server.runtime.parent_death import ending_with_parent

ENDS_WITH = "Ctrl-C ends server and Envoy."
MAKE_RUN = (sys.executable, "-m", "vumeter_server.quickstart")


@contextlib.contextmanager
def started(
    directory: Path,
    *,
    command: Sequence[str] = MAKE_RUN,
    within_seconds: float = 90,
    **environment: str,
) -> Iterator[str]:
    """Start it with `data/vumeter.db` in `directory`; give what it prints until it is ready.

    With VUMETER_STORE it runs in `directory`, where a database file would be.
    """
    inherited = {name: value for name, value in os.environ.items() if "VUMETER" not in name}
    settings = {"VUMETER_REST_PORT": "0", "VUMETER_GRPC_PORT": "0"}
    if "VUMETER_STORE" not in environment:
        settings["VUMETER_DB"] = str(directory / "data" / "vumeter.db")
    with (directory / "stdout").open("w") as stdout, (directory / "stderr").open("w") as stderr:
        process = subprocess.Popen(
            ending_with_parent(command),
            env=inherited | settings | environment,
            cwd=directory if "VUMETER_STORE" in environment else None,
            stdout=stdout,
            stderr=stderr,
        )
        try:
            until(lambda: ENDS_WITH in (directory / "stdout").read_text(), seconds=within_seconds)
            yield (directory / "stdout").read_text()
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=40)


def in_second_terminal(script: str, directory: Path) -> str:
    """Run a script in `directory`, in a shell that inherits nothing; return what it printed."""
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-c", "set -eu\n" + script],
        cwd=directory,
        env={
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(directory),
            **_code_under_test(),
        },
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, (script[-2000:], done.stderr[-2000:])
    return done.stdout


def run_printed(printed: str, directory: Path, **environment: str) -> dict[str, list[Any]]:
    """Paste what is printed; return what each family's requests answer, as JSON."""
    pasted = printed.partition("opens it:\n")[2].partition("\nKey of the organization")[0]
    # What is no request is a heading, which a reader leaves out.
    blocks = re.split(r"^(\w.*):$", pasted, flags=re.MULTILINE)
    script = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    script.append(blocks[0])
    for heading, requests_text in zip(blocks[1::2], blocks[2::2], strict=True):
        script += [f"echo {shlex.quote('# ' + heading)}", requests_text]
    text = "\n".join(script).replace("curl ", "curl --silent --show-error --fail -w '\\n' ")
    answers: dict[str, list[Any]] = {}
    for line in in_second_terminal(text, directory).splitlines():
        if line.startswith("# "):
            answers[line.removeprefix("# ").partition(",")[0]] = []
        elif line:
            answers[list(answers)[-1]].append(json.loads(line))
    return answers


def _code_under_test() -> dict[str, str]:
    """Let commands import what is tested, where tests run with a path and not with an install."""
    paths = os.environ.get("PYTHONPATH")
    if not paths:
        return {}
    absolute = (str(Path(path).resolve()) for path in paths.split(os.pathsep))
    return {"PYTHONPATH": os.pathsep.join(absolute)}
