"""Tab completes commands and options in real shells, set up by the lines of the documentation."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTED = (ROOT / "docs" / "operations.md").read_text()
SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "--no-rcs", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
BEFORE = {"bash": "", "zsh": "autoload -Uz compinit && compinit -u -D", "fish": ""}
READY, DONE = "ready", "done"
PATIENCE_SECONDS = 60


def documented_line(shell: str) -> str:
    """Return the line that the documentation has for a shell."""
    line = rf"`([^`]*_VUMETER_COMPLETE={shell}_source[^`]*)` \|$"
    found = re.search(line, DOCUMENTED, re.MULTILINE)
    assert found is not None
    return found[1].replace("\\|", "|")


class Terminal:
    """A shell at a terminal."""

    def __init__(self, shell: str, folder: Path) -> None:
        command = folder / "vumeter"
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m vumeter_server.cli "$@"\n')
        command.chmod(0o755)
        self.shell = shell
        self._terminal, side = pty.openpty()
        self.process = subprocess.Popen(
            # fish wants to control its terminal.
            ["setsid", "--ctty", *SHELLS[shell]],
            cwd=ROOT,
            env={
                **{name: each for name, each in os.environ.items() if "VUMETER" not in name},
                "PATH": f"{folder}:{os.environ['PATH']}",
                "HOME": str(folder),
                "TERM": "dumb",
                "COLUMNS": "200",
                "HISTFILE": str(folder / "history"),
            },
            stdin=side,
            stdout=side,
            stderr=side,
        )
        os.close(side)

    def type(self, text: str) -> None:
        """Type at the terminal."""
        os.write(self._terminal, text.encode())

    def read_until(self, text: str) -> str:
        """Return the screen when it shows a text."""
        screen, end = "", time.monotonic() + PATIENCE_SECONDS
        while text not in screen:
            assert time.monotonic() < end, screen
            if select.select([self._terminal], [], [], 1)[0]:
                screen += os.read(self._terminal, 4096).decode(errors="replace")
        return screen

    def close(self) -> None:
        """End the shell."""
        self.process.kill()
        self.process.wait()
        os.close(self._terminal)


@pytest.fixture(params=list(SHELLS))
def terminal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Terminal]:
    """A shell in which the documented line was run."""
    shell: str = request.param
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}: apt-get install {shell}")
    opened = Terminal(shell, tmp_path)
    try:
        # What is typed shows on the screen, too; only what is printed has the two parts together.
        for line in (BEFORE[shell], documented_line(shell), f"echo {READY}'-'{READY}"):
            opened.type(line + "\r")
        opened.read_until(f"{READY}-{READY}")
        yield opened
    finally:
        opened.close()


def test_tab_completes_commands_and_options(terminal: Terminal) -> None:
    # `audit list --action key` is what `aud`, `l`, `--act` stand for, each with a Tab.
    terminal.type("echo vumeter; vumeter aud\tl\t--act\tkey --nonsense\r")
    screen = terminal.read_until("No such option")
    assert "vumeter audit list: No such option" in screen
    assert "--action" in screen


def test_tab_lists_what_a_beginning_may_become(terminal: Terminal) -> None:
    # fish shows a list over the terminal's lines; there its answer is printed.
    asked = "vumeter simulation gate --"
    is_fish = terminal.shell == "fish"
    terminal.type(f"complete --do-complete '{asked}'\r" if is_fish else f"{asked}\t\t")
    terminal.read_until("--candidate")
