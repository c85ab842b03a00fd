"""On which processors numpy is kept from sorting by AVX-512."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from vumeter_server.runtime.processor import VARIABLE, avoid_slow_sorts

ZEN_4 = {"vendor_id": "AuthenticAMD", "cpu family": "25", "flags": "fpu avx2 avx512f avx512bw"}


def cpuinfo(directory: Path, **changes: str) -> Path:
    lines = [f"{name}\t: {value}" for name, value in (ZEN_4 | changes).items()]
    file = directory / "cpuinfo"
    file.write_text("\n".join(lines) + "\n\nprocessor\t: 1\nflags\t\t: avx512f\n")
    return file


def test_numpy_takes_avx2_where_avx_512_is_slow(tmp_path: Path) -> None:
    environment: dict[str, str] = {}
    avoid_slow_sorts(environment, cpuinfo(tmp_path))
    # numpy warns of names that it does not know, on processors that have them.
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", "import numpy; numpy.show_runtime()"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    if "X86_V3" in found.stdout:
        simd = found.stdout.partition("'found':")[2].partition("]")[0]
        assert "X86_V3" in simd
        assert "X86_V4" not in simd
        assert "AVX512_ICL" not in simd


@pytest.mark.parametrize(
    "changes",
    [
        {"vendor_id": "GenuineIntel", "cpu family": "6"},
        # Zen 5.
        {"cpu family": "26"},
        # Zen 3 has no AVX-512.
        {"flags": "fpu avx2"},
    ],
)
def test_other_processors_keep_avx_512(changes: dict[str, str], tmp_path: Path) -> None:
    environment: dict[str, str] = {}
    avoid_slow_sorts(environment, cpuinfo(tmp_path, **changes))
    assert environment == {}


def test_what_is_set_is_left_alone(tmp_path: Path) -> None:
    environment = {VARIABLE: ""}
    avoid_slow_sorts(environment, cpuinfo(tmp_path))
    assert environment == {VARIABLE: ""}


def test_a_machine_without_the_file_is_no_problem(tmp_path: Path) -> None:
    environment: dict[str, str] = {}
    avoid_slow_sorts(environment, tmp_path / "missing")
    assert environment == {}


def test_numpy_is_not_loaded_by_looking() -> None:
    code = "import sys, vumeter_server.runtime.processor; print('numpy' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
