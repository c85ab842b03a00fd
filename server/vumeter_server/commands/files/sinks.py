"""Where exports write: files whole or not at all, and stdout."""

from __future__ import annotations

import csv
import io
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeVar

import orjson

from vumeter_server.commands.files.formats import (
    CSV,
    PARQUET,
    STANDARD_STREAM,
    check_parquet,
    require_parquet,
)

M = TypeVar("M")

# A row group of Parquet holds so many rows; they are in memory until it is full.
ROWS_IN_GROUP = 131_072


class Writable(ABC, Generic[M]):
    """How the messages of an export become lines, rows and tables."""

    columns: Sequence[str]

    @abstractmethod
    def ndjson(self, message: M) -> str:
        """Return the records of a message as lines."""

    @abstractmethod
    def csv(self, message: M) -> str:
        """Return the records of a message as rows; see `csv_of`."""

    @abstractmethod
    def schema(self, pyarrow: Any) -> Any:
        """Return the schema of tables."""

    def parquet_options(self) -> Mapping[str, Any]:
        """Return options of the ParquetWriter."""
        return {}

    @abstractmethod
    def table(self, pyarrow: Any, messages: Sequence[M]) -> Any:
        """Return the records of messages as one table of that schema."""

    @abstractmethod
    def count(self, message: M) -> int:
        """Return how many records a message has."""


class Sink(ABC, Generic[M]):
    """A file that is written piece by piece; `finish` makes it whole."""

    can_go_on = True
    """Whether a later process can append to what this one wrote."""

    @abstractmethod
    def write(self, message: M) -> None:
        """Write the records of a message."""

    @abstractmethod
    def flush(self) -> int:
        """Hand everything to the system; return how many bytes there are."""

    @abstractmethod
    def finish(self) -> None:
        """Write what belongs at the end, and close the file."""

    @abstractmethod
    def abandon(self) -> None:
        """Close the file as it is."""


class _TextSink(Sink[M]):
    def __init__(self, kind: Writable[M], file: BinaryIO) -> None:
        self._kind = kind
        self._file = file

    def flush(self) -> int:
        self._file.flush()
        return self._file.tell() if self._file.seekable() else 0

    def finish(self) -> None:
        self.flush()
        self.abandon()

    def abandon(self) -> None:
        if self._file is not sys.stdout.buffer:
            self._file.close()


class _NdjsonSink(_TextSink[M]):
    def write(self, message: M) -> None:
        self._file.write(self._kind.ndjson(message).encode())


class _CsvSink(_TextSink[M]):
    def __init__(self, kind: Writable[M], file: BinaryIO, *, is_new: bool) -> None:
        super().__init__(kind, file)
        if is_new:
            file.write(csv_of([kind.columns]).encode())

    def write(self, message: M) -> None:
        self._file.write(self._kind.csv(message).encode())


class _ParquetSink(Sink[M]):
    """Writes a row group in a thread of its own while the table of the next one is made."""

    can_go_on = False

    def __init__(self, kind: Writable[M], file: BinaryIO) -> None:
        self._kind = kind
        self._file = file
        self._writer: Any = None
        self._messages: list[M] = []
        self._held = 0
        self._thread = ThreadPoolExecutor(1, "parquet")
        # The first messages are waited for anyway: meanwhile pyarrow is loaded.
        self._writing: Future[None] = self._thread.submit(self._open)

    def _open(self) -> None:
        self._pyarrow, parquet = require_parquet()
        self._writer = parquet.ParquetWriter(
            self._file,
            self._kind.schema(self._pyarrow),
            compression="zstd",
            store_schema=False,
            **self._kind.parquet_options(),
        )

    def write(self, message: M) -> None:
        self._messages.append(message)
        self._held += self._kind.count(message)
        if self._held >= ROWS_IN_GROUP:
            self._begin_group()

    def _begin_group(self) -> None:
        messages, self._messages, self._held = self._messages, [], 0
        if self._writer is None:
            self._writing.result()
        table = self._kind.table(self._pyarrow, messages)
        # Raises what writing the group before raised.
        self._writing.result()
        self._writing = self._thread.submit(
            self._writer.write_table, table, row_group_size=len(table)
        )

    def flush(self) -> int:
        return 0

    def finish(self) -> None:
        if self._messages:
            self._begin_group()
        self._writing.result()
        self.abandon()

    def abandon(self) -> None:
        self._thread.shutdown()
        if self._writer is not None:
            self._writer.close()
        if self._file is sys.stdout.buffer:
            self._file.flush()
        else:
            self._file.close()


def csv_of(rows: Iterable[Sequence[str]]) -> str:
    """Return rows as CSV."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()


def ndjson_of(records: Iterable[Any]) -> str:
    """Return records as lines of JSON."""
    return "".join(f"{orjson.dumps(each).decode()}\n" for each in records)


def open_sink(kind: Writable[M], name: str, file_format: str, *, after_bytes: int) -> Sink[M]:
    """Open the file of this name, or stdout by `-`; what is behind `after_bytes` is cut off."""
    if file_format == PARQUET:
        check_parquet()
    file: BinaryIO
    if name == STANDARD_STREAM:
        file = sys.stdout.buffer
    else:
        file = Path(name).open("r+b" if after_bytes else "wb")  # noqa: SIM115 - the sink closes it
        file.truncate(after_bytes)
        file.seek(after_bytes)
    if file_format == PARQUET:
        return _ParquetSink(kind, file)
    if file_format == CSV:
        return _CsvSink(kind, file, is_new=not after_bytes)
    return _NdjsonSink(kind, file)
