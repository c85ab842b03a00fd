"""The README as a program.

Its fenced blocks are read in order. `sh` blocks run in one shell, so that a block knows what an
earlier one set; `python` blocks run with what the shell exported. A `json` or `text` block right
behind one of these is what it prints. Other blocks, `console` among them, do not run here.

The shell stands for the reader's second terminal. It inherits nothing from the first one, in which
`make run` runs: not the admin token, not the database, not the ports.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.first_start import in_second_terminal, started

_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_RUN = ("sh", "python")
_ANSWERS = ("json", "text")
_STARTS = re.compile(r"^```console\n(\$ .*\n)*\$ make run\n", re.MULTILINE)
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
    for name in ("README.md", "clients", "examples", "generated", "protos", "server"):
        (checkout / name).symlink_to(root / name)
    (checkout / ".venv").symlink_to(_VENV)


@dataclass(frozen=True, kw_only=True, slots=True)
class Terminal:
    """The reader's second terminal: a shell in the clone that inherits nothing."""

    checkout: Path

    def run(
        self, steps: Sequence[Step], work: Path, *, python: str = ".venv/bin/python"
    ) -> list[str]:
        """Run the steps; return what each printed. `python` runs the blocks of Python."""
        script = []
        for number, step in enumerate(steps):
            code = step.code
            if step.language == "python":
                file = work / f"{number}.py"
                file.write_text(code)
                code = f"'{python}' '{file}'"
            # A group and not a subshell, so that the next step sees what this one exported.
            script.append(f"{{\n{code}\n}} > '{work}/{number}.out'")
        in_second_terminal("\n".join(script), self.checkout)
        return [(work / f"{number}.out").read_text() for number in range(len(steps))]


@contextlib.contextmanager
def started_as_shown(page: str, root: Path, checkout: Path) -> Iterator[Terminal]:
    """Do what the page says for the first terminal, in a clone; give the second terminal.

    The system chooses the ports, so that the second terminal has to find them out.
    """
    assert _STARTS.search(page), "the page does not say how to start"
    make_checkout(checkout, root)
    with started(checkout, VUMETER_DEMO="0"):
        yield Terminal(checkout=checkout)
