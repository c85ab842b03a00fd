"""The README as a program.

Its fenced blocks are read in order. `sh` blocks run in one shell, so that what one sets the others
know; `python` blocks run with what it exported. A `json` or `text` block right behind one of these
is what it prints. Other blocks, `console` among them, are not run.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.stack import Stack

_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_RUN = ("sh", "python")
_ANSWERS = ("json", "text")

# grpcurl is not a Python package; buf speaks the same protocol to the same server, and takes its
# options in another spelling.
_GRPCURL = """
grpcurl() {
    local arguments=(--protocol grpc --http2-prior-knowledge)
    while [ "${1#-}" != "$1" ]; do
        case "$1" in
            -plaintext) shift ;;
            -H) arguments+=(--header "$2"); shift 2 ;;
            -d) arguments+=(--data "$2"); shift 2 ;;
            *) echo "grpcurl: $1?" >&2; return 2 ;;
        esac
    done
    "$BIN/buf" curl "${arguments[@]}" "http://$1/$2"
}
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A block that runs, and what it is said to print."""

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
        """Whether what was printed is the answer, word for word.

        JSON that the page shows over several lines, as grpcurl prints it, is compared as JSON.
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


def run(
    steps: Sequence[Step],
    stack: Stack,
    root: Path,
    work: Path,
    python: Path = Path(sys.executable),
) -> list[str]:
    """Run the steps against a running product; return what each printed.

    `python` runs the blocks of Python.
    """
    binaries = Path(sys.executable).parent
    substitutions = (
        ("http://127.0.0.1:8080", stack.rest_url),
        ("127.0.0.1:8080", stack.edge_target),
        ("127.0.0.1:50051", stack.grpc_target),
        (".venv/bin/", f"{binaries}/"),
    )
    script = ["set -eu", f"BIN='{binaries}'", _GRPCURL]
    for number, step in enumerate(steps):
        code = step.code
        for documented, actual in substitutions:
            code = code.replace(documented, actual)
        if step.language == "python":
            file = work / f"{number}.py"
            file.write_text(code)
            code = f"'{python}' '{file}'"
        # A function would not see `export` go beyond it otherwise than this group does.
        script.append(f"{{\n{code}\n}} > '{work}/{number}.out'")
    subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=root,
        env=_environment(stack),
        check=True,
        timeout=110,
    )
    return [(work / f"{number}.out").read_text() for number in range(len(steps))]


def _environment(stack: Stack) -> dict[str, str]:
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(stack.db_path.parent),
        "LC_ALL": "C.UTF-8",
        "VUMETER_ADMIN_TOKEN": stack.admin_token,
        "VUMETER_DB": str(stack.db_path),
    }
