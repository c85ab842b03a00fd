"""The README as a program.

Its fenced blocks are read in order. `sh` blocks run in one shell, so that a block knows what an
earlier one set; `python` blocks run with what the shell exported. A `json` or `text` block right
behind one of these is what it prints. Other blocks, `console` among them, do not run here.

The shell stands for the reader's second terminal. It inherits nothing from the process that runs
the product: not the admin token, not the database, not the ports.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.stack import start_stack

_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_RUN = ("sh", "python")
_ANSWERS = ("json", "text")
_STARTS = re.compile(r"^\$ (?P<line>.*\bmake run)$", re.MULTILINE)
_CLONE = "git clone"
_VENV = Path(sys.executable).parent.parent


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A block that runs, and what the page says that it prints."""

    line: int
    language: str
    code: str
    answer_language: str | None
    answer: str | None

    @property
    def name(self) -> str:
        """What to call it in a report."""
        return f"line {self.line}"

    def is_answered_by(self, printed: str) -> bool:
        """Whether `printed` is the answer, word for word.

        JSON that the page shows over several lines, as `buf curl` prints it, is compared as JSON.
        """
        assert self.answer is not None
        if self.answer_language == "json" and "\n" in self.answer.strip():
            return bool(json.loads(printed) == json.loads(self.answer))
        return printed.strip() == self.answer.strip()


def steps_of(page: str) -> list[Step]:
    """Return the steps of a page of Markdown, in order."""
    blocks = [
        (page.count("\n", 0, found.start()) + 1, found["language"], found["text"], found)
        for found in _FENCE.finditer(page)
    ]
    steps = []
    for index, (line, language, code, found) in enumerate(blocks):
        if language not in _RUN:
            continue
        answer_language = answer = None
        if index + 1 < len(blocks) and blocks[index + 1][1] in _ANSWERS:
            following = blocks[index + 1][3]
            if not page[found.end() : following.start()].strip():
                answer_language, answer = blocks[index + 1][1:3]
        steps.append(
            Step(
                line=line,
                language=language,
                code=code,
                answer_language=answer_language,
                answer=answer,
            )
        )
    return steps


def make_checkout(checkout: Path, root: Path) -> None:
    """Make a folder that looks like the reader's clone, with a `data/` of its own."""
    for name in ("README.md", "examples", "generated", "protos", "server"):
        (checkout / name).symlink_to(root / name)
    (checkout / ".venv").symlink_to(_VENV)


def admin_token_of_first_terminal(page: str, checkout: Path) -> str:
    """Run what the page says to type before `make run`; return the admin token that it gets."""
    (start,) = [
        found["text"]
        for found in _FENCE.finditer(page)
        if found["language"] == "console" and _STARTS.search(found["text"])
    ]
    lines = re.findall(r"^\$ (.*)$", start, re.MULTILINE)
    # `make` says here what the product would be started with, instead of starting it.
    script = ["set -eu", 'make() { echo "$1 ${VUMETER_ADMIN_TOKEN-}"; }']
    script += [line for line in lines if not line.startswith(_CLONE)]
    printed = _bash("\n".join(script), checkout)
    assert printed.startswith("run "), printed
    return printed.removeprefix("run ").strip()


@dataclass(frozen=True, kw_only=True, slots=True)
class Terminal:
    """The reader's second terminal: a shell in the clone that inherits nothing."""

    checkout: Path
    other_ports: Mapping[str, str]
    """What to type in place of an assignment such as `REST_PORT=8080`."""

    def run(
        self, steps: Sequence[Step], work: Path, *, python: str = ".venv/bin/python"
    ) -> list[str]:
        """Run the steps; return what each printed. `python` runs the blocks of Python."""
        script = ["set -eu"]
        for number, step in enumerate(steps):
            code = step.code
            for assignment, actual in self.other_ports.items():
                code = code.replace(assignment, actual)
            if step.language == "python":
                file = work / f"{number}.py"
                file.write_text(code)
                code = f"'{python}' '{file}'"
            # A group and not a subshell, so that the next step sees what this one exported.
            script.append(f"{{\n{code}\n}} > '{work}/{number}.out'")
        _bash("\n".join(script), self.checkout)
        return [(work / f"{number}.out").read_text() for number in range(len(steps))]


@contextlib.contextmanager
def started_as_shown(page: str, root: Path, checkout: Path) -> Iterator[Terminal]:
    """Do what the page says for the first terminal, in a clone; give the second terminal."""
    make_checkout(checkout, root)
    token = admin_token_of_first_terminal(page, checkout)
    stack = start_stack(
        checkout / "data",
        VUMETER_ADMIN_TOKEN=token,
        VUMETER_ACCESS_LOG="false",
        VUMETER_CALL_TTL="4h",
    )
    try:
        yield Terminal(
            checkout=checkout,
            other_ports={
                "REST_PORT=8080": f"REST_PORT={stack.edge_target.rpartition(':')[2]}",
                "GRPC_PORT=50051": f"GRPC_PORT={stack.grpc_target.rpartition(':')[2]}",
            },
        )
    finally:
        stack.stop()


def _bash(script: str, checkout: Path) -> str:
    """Run a script as a new terminal would; return what it printed."""
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-c", script],
        cwd=checkout,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(checkout)},
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
