"""The formats of files, and which one is meant."""

from __future__ import annotations

import importlib
from types import ModuleType

import click

STANDARD_STREAM = "-"
CSV, NDJSON, PARQUET = "csv", "ndjson", "parquet"
FORMATS = (CSV, NDJSON, PARQUET)

_BY_SUFFIX = {".csv": CSV, ".ndjson": NDJSON, ".jsonl": NDJSON, ".parquet": PARQUET}


def format_of(name: str, given: str | None) -> str:
    """Return the format that was given, or else the one that a file's name stands for."""
    suffix = name[name.rfind(".") :].lower() if "." in name else ""
    return given or _BY_SUFFIX.get(suffix, NDJSON)


def require_parquet() -> tuple[ModuleType, ModuleType]:
    """Return pyarrow and its Parquet; raises click.ClickException where it is not installed."""
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise click.ClickException(
            "Parquet needs pyarrow: pip install 'vumeter[parquet]'"
        ) from error
