"""What is known of the processor before numpy is imported."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from importlib import metadata
from pathlib import Path
from typing import Final

VARIABLE: Final = "NPY_DISABLE_CPU_FEATURES"
_CPUINFO: Final = Path("/proc/cpuinfo")
# The first processor is described in fewer bytes.
_CPUINFO_BYTES: Final = 8_192
_ZEN_3_AND_4: Final = "25"
# By what names numpy knows AVX-512, from 2.4 on and before.
_AVX_512: Final = "X86_V4 AVX512_ICL"
_EARLIER_AVX_512: Final = "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL"


def avoid_slow_sorts(
    environment: MutableMapping[str, str] = os.environ, cpuinfo: Path = _CPUINFO
) -> None:
    """Keep numpy from sorting by AVX-512 on AMD's Zen 4, where AVX2 takes a fifth of the time.

    numpy reads the variable when it is imported, so this comes before. What the caller has set is
    left alone. See https://github.com/numpy/x86-simd-sort/issues/6.
    """
    if VARIABLE not in environment and _sorts_slowly_by_avx_512(_first_processor(cpuinfo)):
        version = tuple(map(int, metadata.version("numpy").split(".")[:2]))
        environment[VARIABLE] = _AVX_512 if version >= (2, 4) else _EARLIER_AVX_512


def _first_processor(cpuinfo: Path) -> dict[str, str]:
    try:
        with cpuinfo.open("rb") as file:
            text = file.read(_CPUINFO_BYTES).decode(errors="replace")
    except OSError:
        # There is none but on Linux.
        return {}
    pairs = [line.partition(":") for line in text.partition("\n\n")[0].splitlines()]
    return {name.strip(): value.strip() for name, _, value in pairs}


def _sorts_slowly_by_avx_512(processor: dict[str, str]) -> bool:
    return (
        processor.get("vendor_id") == "AuthenticAMD"
        and processor.get("cpu family") == _ZEN_3_AND_4
        and "avx512f" in processor.get("flags", "").split()
    )
