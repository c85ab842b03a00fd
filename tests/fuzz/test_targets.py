"""What parses bytes that nobody has checked: it takes them or refuses them, and never fails.

Here the bytes are chosen by chance. `make fuzz` chooses them by what they make the code do.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pytest
from tests.effort import tries
from tests.fuzz.making import spoiled
from tests.fuzz.targets.known import CORPUS, TARGETS, beginnings
from tests.fuzz.targets.target import Target

from vumeter_server.errors import InvalidArgument

ROOT: Final = Path(__file__).resolve().parents[2]
GUIDED: Final = ROOT / "build" / "fuzz-venv" / "bin" / "python"
TRIES: Final = tries(200, 20_000)
pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")


@pytest.mark.parametrize("name", TARGETS)
def test_no_bytes_make_a_fault(name: str) -> None:
    target = TARGETS[name]
    chance = random.Random(name)
    known = list(beginnings(name))
    for each in [b"", *known]:
        target.run(each)
    for _ in range(TRIES):
        data = spoiled(chance, chance.choice(known))
        try:
            target.run(data)
        except Exception as error:
            raise AssertionError(f"{name} fails of {data!r}") from error


@pytest.mark.parametrize("name", TARGETS)
def test_some_of_what_fuzzing_begins_with_is_taken(name: str) -> None:
    assert any(TARGETS[name].run(each) for each in TARGETS[name].seeds())


def test_what_was_found_is_of_a_target() -> None:
    assert {path.parent.name for path in CORPUS.glob("*/*")} <= TARGETS.keys()


def _refused(data: bytes) -> None:
    raise InvalidArgument.of("field", "must be something else")


def _failed(data: bytes) -> None:
    raise ValueError(data)


def _endless(data: bytes) -> None:
    raise InvalidArgument("a" * 2_000)


@pytest.mark.parametrize(("read", "is_fault"), [(_refused, 0), (_failed, 1), (_endless, 1)])
def test_anything_but_a_refusal_is_a_fault(read: Callable[[bytes], object], is_fault: bool) -> None:
    def no_seeds() -> Sequence[bytes]:
        return ()

    target = Target(read=read, seeds=no_seeds, allowed=(InvalidArgument,))
    if is_fault:
        with pytest.raises((ValueError, AssertionError)):
            target.run(b"")
    else:
        assert not target.run(b"")


@pytest.mark.skipif(not GUIDED.exists(), reason="atheris is not installed: `make fuzz` does it")
def test_guided_fuzzing_finds_a_fault_that_chance_does_not(tmp_path: Path) -> None:
    """A target that fails of one word: to find it, its letters have to be found one by one."""
    script = f"""
import atheris
with atheris.instrument_imports(include=["planted"]):
    import planted
atheris.Setup(["planted", "-max_total_time=60", "-artifact_prefix={tmp_path}/"], planted.read)
atheris.Fuzz()
"""
    letters = " and ".join(f"data[{place}] == {letter}" for place, letter in enumerate(b"fault"))
    (tmp_path / "planted.py").write_text(
        f"def read(data):\n    if len(data) == 5 and {letters}:\n        raise ValueError(data)\n"
    )
    (tmp_path / "script.py").write_text(script)
    ended = subprocess.run(
        [GUIDED, "script.py"], cwd=tmp_path, capture_output=True, check=False, timeout=110
    )
    assert ended.returncode != 0, ended.stderr[-2_000:]
    assert [path.read_bytes() for path in tmp_path.glob("crash-*")] == [b"fault"]
