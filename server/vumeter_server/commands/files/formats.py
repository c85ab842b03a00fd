"""The formats of files, and which one is meant."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType

import click

from vumeter_server.runtime import data_frames

STANDARD_STREAM = "-"
CSV, NDJSON, PARQUET = "csv", "ndjson", "parquet"
FORMATS = (CSV, NDJSON, PARQUET)

_BY_SUFFIX = {".csv": CSV, ".ndjson": NDJSON, ".jsonl": NDJSON, ".parquet": PARQUET}


def format_of(name: str, given: str | None) -> str:
    """Return the format that was given, or else the one that a file's name stands for."""
    suffix = name[name.rfind(".") :].lower() if "." in name else ""
    return given or _BY_SUFFIX.get(suffix, NDJSON)


def check_parquet() -> None:
    """Raise click.ClickException where pyarrow is not installed; loads nothing."""
    if importlib.util.find_spec("pyarrow") is None:
        raise _without_pyarrow()


def require_parquet() -> tuple[ModuleType, ModuleType]:
    """Return pyarrow and its Parquet; raises click.ClickException where it is not installed."""
    try:
        with data_frames.without("pandas"):
            pyarrow = importlib.import_module("pyarrow")
            parquet = importlib.import_module("pyarrow.parquet")
            # pyarrow looks for pandas when it makes the first array, and then never again.
            pyarrow.array([])
    except ImportError as error:
        raise _without_pyarrow() from error
    return pyarrow, parquet


def _without_pyarrow() -> click.ClickException:
    return click.ClickException("Parquet needs pyarrow: pip install 'vumeter[parquet]'")
