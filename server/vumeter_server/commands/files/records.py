"""Files read record by record: NDJSON, CSV and Parquet."""

from __future__ import annotations

import contextlib
import csv
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeVar

import click
import msgspec
from google.api.httpbody_pb2 import HttpBody

from vumeter_server.api import json_body
from vumeter_server.commands.files.formats import CSV, PARQUET, STANDARD_STREAM, require_parquet
from vumeter_server.errors import InvalidArgument

T = TypeVar("T")

ROWS_AT_ONCE = 10_000

_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Record(Generic[T]):
    """One record of a file: where it begins and ends, and what it holds or what is wrong with it.

    `end_byte` of a Parquet file is how much of it is read, about.
    """

    line: int
    end_byte: int
    value: T | None = None
    problem: str = ""


class RecordKind(ABC, Generic[T]):
    """What the records of a file hold, and how each is read; what is wrong is InvalidArgument."""

    columns: Collection[str]
    """The columns of a table, in any order."""
    required: Sequence[str]
    prefix: str
    """What the names of wrong fields begin with."""

    @abstractmethod
    def from_json(self, data: bytes) -> T:
        """Read a line of NDJSON."""

    @abstractmethod
    def from_cells(self, cells: Mapping[str, str]) -> T:
        """Read a row of CSV, without its empty cells."""

    @abstractmethod
    def from_row(self, row: Mapping[str, Any]) -> T:
        """Read a row of Parquet, without its nulls."""


def read_records(name: str, file_format: str, kind: RecordKind[T]) -> Iterator[Record[T]]:
    """Yield each record of a file, or of stdin by `-`; lines without anything are passed over.

    Raises click.ClickException if it is a table whose columns cannot be used.
    """
    if file_format == PARQUET:
        yield from _read_parquet(name, kind)
        return
    with _opened(name) as file:
        if file_format == CSV:
            yield from _read_csv(name, file, kind)
        else:
            yield from _read_ndjson(file, kind)


def number_in(cells: Mapping[str, str], name: str) -> float | None:
    """Return the number of a cell; None if it is empty."""
    if (cell := cells.get(name)) is None:
        return None
    text = cell.strip()
    if not _NUMBER.fullmatch(text):
        raise InvalidArgument.of(name, "must be a number")
    return float(text)


def json_in(cell: str | None, name: str, body_type: type[T]) -> T | None:
    """Return the JSON object of a cell; None if it is empty."""
    if cell is None:
        return None
    wrapper = _wrapper_of(body_type)
    try:
        body = json_body.decode(HttpBody(data=b'{"%b":%b}' % (_VALUE, cell.encode())), wrapper)
    except InvalidArgument as error:
        wrong = error.violations[0]
        path = wrong.field.removeprefix("value")
        if not path.startswith((".", "[")) and not wrong.problem.endswith("for each key"):
            raise InvalidArgument.of(name, "must be a JSON object") from None
        raise InvalidArgument.of(name + path, wrong.problem) from None
    found: T = body.value
    return found


_VALUE = b"value"
_wrappers: dict[Any, Any] = {}


def _wrapper_of(body_type: Any) -> Any:
    if body_type not in _wrappers:
        _wrappers[body_type] = msgspec.defstruct("Cell", [("value", body_type)])
    return _wrappers[body_type]


@contextlib.contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    if name == STANDARD_STREAM:
        yield sys.stdin.buffer
    else:
        with Path(name).open("rb") as file:
            yield file


def _read_ndjson(file: BinaryIO, kind: RecordKind[T]) -> Iterator[Record[T]]:
    end_byte = 0
    for line, data in enumerate(file, start=1):
        end_byte += len(data)
        if data.strip():
            yield _checked(line, end_byte, kind, partial(kind.from_json, data))


def _checked(line: int, end_byte: int, kind: RecordKind[T], read: Callable[[], T]) -> Record[T]:
    try:
        return Record(line=line, end_byte=end_byte, value=read())
    except InvalidArgument as rejected:
        sentences = [each.sentence.removeprefix(kind.prefix) for each in rejected.violations]
        return Record(line=line, end_byte=end_byte, problem="; ".join(sentences))


def _read_csv(name: str, file: BinaryIO, kind: RecordKind[T]) -> Iterator[Record[T]]:
    end_byte = 0

    def lines() -> Iterator[str]:
        nonlocal end_byte
        for data in file:
            end_byte += len(data)
            # What is no UTF-8 is rejected with its row, not with the whole file.
            yield data.decode("utf-8-sig" if end_byte == len(data) else "utf-8", "surrogateescape")

    rows = csv.reader(lines(), strict=True)
    try:
        header = [column.strip() for column in next(rows, [])]
    except csv.Error as error:
        raise click.ClickException(f"{name}: line 1: {error}") from None
    _check_columns(header, f"{name}: line 1", kind)
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
            yield _checked(line, end_byte, kind, partial(_read_row, kind, header, row))


def _read_row(kind: RecordKind[T], header: Sequence[str], row: Sequence[str]) -> T:
    return kind.from_cells(_cells_of(header, row))


def _cells_of(header: Sequence[str], row: Sequence[str]) -> dict[str, str]:
    if len(row) != len(header):
        raise InvalidArgument.of("", f"has {len(row)} cells, the header has {len(header)}")
    try:
        "".join(row).encode()
    except UnicodeEncodeError:
        raise InvalidArgument.of("", "must be UTF-8") from None
    return {name: cell for name, cell in zip(header, row, strict=True) if cell}


def _check_columns(header: Sequence[str], where: str, kind: RecordKind[Any]) -> None:
    if problems := [name for name in header if name not in kind.columns]:
        raise click.ClickException(f"{where}: {problems[0]!r} is not the name of a column")
    if repeated := [name for name in header if header.count(name) > 1]:
        raise click.ClickException(f"{where}: the column {repeated[0]} is given twice")
    for name in kind.required:
        if name not in header:
            raise click.ClickException(f"{where}: the column {name} is missing")


def _read_parquet(name: str, kind: RecordKind[T]) -> Iterator[Record[T]]:
    pyarrow, parquet = require_parquet()
    if name == STANDARD_STREAM:
        raise click.ClickException("Parquet cannot be read from stdin: name a file")
    try:
        with parquet.ParquetFile(name) as file:
            _check_columns(file.schema_arrow.names, name, kind)
            number, rows, size = 0, max(file.metadata.num_rows, 1), Path(name).stat().st_size
            for batch in file.iter_batches(ROWS_AT_ONCE):
                for row in _plain_rows(pyarrow, batch):
                    number += 1
                    end_byte = size * number // rows
                    yield _checked(number, end_byte, kind, partial(kind.from_row, row))
    except pyarrow.ArrowException as error:
        reason = str(error).partition("\n")[0]
        raise click.ClickException(f"{name}: is no Parquet file: {reason}") from error


def _plain_rows(pyarrow: Any, batch: Any) -> Iterator[dict[str, Any]]:
    """Yield rows with what is not null; times are microseconds since the epoch."""
    columns = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        plain = column
        if pyarrow.types.is_timestamp(column.type):
            plain = column.cast(pyarrow.timestamp("us", column.type.tz), safe=False).cast("int64")
        columns.append([(name, each) for each in plain.to_pylist()])
    for row in zip(*columns, strict=True):
        yield {name: value for name, value in row if value is not None}
