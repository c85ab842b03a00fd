"""Files of simulated calls, NDJSON or CSV, read record by record."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import click
import msgspec
from google.api.httpbody_pb2 import HttpBody

from vumeter_server.api import json_body
from vumeter_server.errors import InvalidArgument
from vumeter_server.simulation.bodies import CallBody, add_call
from vumeter_server.simulation.model import NUMBER_NAMES, OBJECT_PATHS, CallReport
from vumeter_server.simulation.validation import CallChecker

OBJECT_NAMES = tuple(path.rpartition(".")[2] for path in OBJECT_PATHS)
COLUMNS = (
    *("call_execution_id", "execution_id", "status"),
    *NUMBER_NAMES,
    *OBJECT_NAMES,
)

_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One record of a file: where it begins and ends, and the call, or what is wrong with it."""

    line: int
    end_byte: int
    call: CallReport | None = None
    problem: str = ""


def format_of(path: Path) -> str:
    """Return the format that a file's name stands for."""
    return "csv" if path.suffix.lower() == ".csv" else "ndjson"


def read_calls(path: Path, file_format: str) -> Iterator[Record]:
    """Yield each record of a file, in order; lines without anything are passed over.

    Raises click.ClickException if it is a CSV file whose header cannot be used.
    """
    with path.open("rb") as file:
        yield from _read_csv(path, file) if file_format == "csv" else _read_ndjson(file)


def _read_ndjson(file: BinaryIO) -> Iterator[Record]:
    end_byte = 0
    for line, data in enumerate(file, start=1):
        end_byte += len(data)
        if data.strip():
            yield _checked(line, end_byte, lambda data=data: _from_json(data))


def _from_json(data: bytes) -> CallReport:
    return _report(json_body.decode(HttpBody(data=data), CallBody))


def _report(body: CallBody) -> CallReport:
    checker = CallChecker()
    add_call(checker, body)
    (report,) = checker.reports()
    return report


def _checked(line: int, end_byte: int, read: Any) -> Record:
    try:
        return Record(line=line, end_byte=end_byte, call=read())
    except InvalidArgument as rejected:
        sentences = [each.sentence.removeprefix("calls[0].") for each in rejected.violations]
        return Record(line=line, end_byte=end_byte, problem="; ".join(sentences))


def _read_csv(path: Path, file: BinaryIO) -> Iterator[Record]:
    end_byte = 0

    def lines() -> Iterator[str]:
        nonlocal end_byte
        for data in file:
            end_byte += len(data)
            # What is no UTF-8 is rejected with its row, not with the whole file.
            yield data.decode("utf-8-sig" if end_byte == len(data) else "utf-8", "surrogateescape")

    rows = csv.reader(lines(), strict=True)
    header = _header(path, rows)
    while True:
        line = rows.line_num + 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield Record(line=line, end_byte=end_byte, problem=f"is no row of CSV: {error}")
            continue
        if row:
            yield _checked(line, end_byte, lambda row=row: _from_row(header, row))


def _header(path: Path, rows: Iterator[list[str]]) -> Sequence[str]:
    try:
        header = [name.strip() for name in next(rows, [])]
    except csv.Error as error:
        raise click.ClickException(f"{path}:1: {error}") from None
    if problems := [name for name in header if name not in COLUMNS]:
        raise click.ClickException(f"{path}:1: {problems[0]!r} is not the name of a column")
    if repeated := [name for name in header if header.count(name) > 1]:
        raise click.ClickException(f"{path}:1: the column {repeated[0]} is given twice")
    for name in ("call_execution_id", "execution_id"):
        if name not in header:
            raise click.ClickException(f"{path}:1: the column {name} is missing")
    return header


def _from_row(header: Sequence[str], row: Sequence[str]) -> CallReport:
    if len(row) != len(header):
        raise InvalidArgument.of("", f"has {len(row)} cells, the header has {len(header)}")
    try:
        "".join(row).encode()
    except UnicodeEncodeError:
        raise InvalidArgument.of("", "must be UTF-8") from None
    cells = {name: cell.strip() for name, cell in zip(header, row, strict=True) if cell.strip()}
    checker = CallChecker()
    checker.add(
        call_execution_id=cells.get("call_execution_id", ""),
        execution_id=cells.get("execution_id", ""),
        status=cells.get("status"),
        numbers=[_number(cells, name) for name in NUMBER_NAMES],
        objects=[_object(cells, name) for name in OBJECT_NAMES],
    )
    (report,) = checker.reports()
    return report


def _number(cells: dict[str, str], name: str) -> float | None:
    if (cell := cells.get(name)) is None:
        return None
    if not _NUMBER.fullmatch(cell):
        raise InvalidArgument.of(name, "must be a number")
    return float(cell)


class _Object(msgspec.Struct):
    value: dict[str, Any]


def _object(cells: dict[str, str], name: str) -> dict[str, Any] | None:
    if (cell := cells.get(name)) is None:
        return None
    try:
        return json_body.decode(HttpBody(data=b'{"value":%b}' % cell.encode()), _Object).value
    except InvalidArgument:
        raise InvalidArgument.of(name, "must be a JSON object") from None
