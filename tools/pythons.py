"""Runs tests with every Python that vumeter supports, as far as one is found.

    python tools/pythons.py [TEST...]

Each gets a virtual environment of its own in build/python-VERSION with what requirements.lock pins.
Pythons are looked for in the PATH (`python3.12`) and among those of pyenv; PYTHONS names others, by
their paths. The status is 1 if tests failed or no Python was found; a version that is not found is
only listed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = ("3.11", "3.12", "3.13", "3.14")
SMOKE = (
    "tests/test_cli.py",
    "tests/test_app.py",
    "tests/times",
    "tests/runtime",
    "tests/supervisor/test_up.py",
    "tests/commands/test_keys.py",
    "tests/end_to_end/test_examples.py",
    "tests/live_metrics/test_examples.py",
    "tests/simulation/test_examples.py",
    "tests/sqlite/test_writer.py",
)
"""What touches every room in a minute or two."""


def candidates(version: str) -> Iterator[str]:
    """Yield programs that may be a Python of that version."""
    yield from os.environ.get("PYTHONS", "").split()
    if found := shutil.which(f"python{version}"):
        yield found
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from map(str, sorted(pyenv.glob(f"versions/{version}.*/bin/python"), reverse=True))


def find(version: str) -> str | None:
    """Return a Python of that version that runs."""
    question = "import sys; print('%d.%d' % sys.version_info[:2])"
    for program in candidates(version):
        try:
            said = subprocess.run(
                [program, "-c", question], capture_output=True, text=True, check=False, timeout=20
            )
        except OSError:
            continue
        if said.stdout.strip() == version:
            return program
    return None


def test(version: str, program: str, tests: list[str]) -> str:
    """Run tests with a Python; return what came of it."""
    venv = ROOT / "build" / f"python-{version}"
    python = str(venv / "bin" / "python")
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
    install = [uv, "pip", "install", "--quiet", "--python", python, "--no-deps"]
    for command in (
        [uv, "venv", "--quiet", "--clear", "--no-python-downloads", "--python", program, str(venv)],
        [*install, "--require-hashes", "-r", "requirements.lock"],
        [*install, "--no-build-isolation", "--editable", "."],
    ):
        if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
            return "could not be set up"
    done = subprocess.run([python, "-m", "pytest", "--quiet", *tests], cwd=ROOT, check=False)
    return "passed" if done.returncode == 0 else "FAILED"


def main() -> int:
    """Run the tests with all Pythons, and print what came of each."""
    tests = sys.argv[1:] or list(SMOKE)
    results = []
    for version in VERSIONS:
        program = find(version)
        if program is None:
            results.append((version, "not found", ""))
            continue
        print(f"Python {version}: {program}", flush=True)
        results.append((version, test(version, program, tests), program))
    for version, result, program in results:
        print(f"Python {version}: {result}  {program}".rstrip())
    came_of = {result for _, result, _ in results}
    return 0 if "passed" in came_of and came_of <= {"passed", "not found"} else 1


if __name__ == "__main__":
    sys.exit(main())
