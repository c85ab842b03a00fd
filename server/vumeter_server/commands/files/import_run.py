"""The records of a file recorded over gRPC, in batches, from where an earlier try stopped."""

from __future__ import annotations

import functools
import hashlib
import itertools
import re
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import click
import grpc

from vumeter_server.commands.files.formats import STANDARD_STREAM, format_of
from vumeter_server.commands.files.records import Record, RecordKind, read_records
from vumeter_server.commands.files.transfers import KeptProgress, Patience, bytes_bar
from vumeter_server.commands.options import one_line_errors
from vumeter_server.commands.remote import violations_of

T = TypeVar("T")
Asking = Callable[[Callable[[], Any]], Any]

REJECTIONS = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.PERMISSION_DENIED,
)


class Importable(RecordKind[T]):
    """A kind of records that a file is imported as."""

    noun: str
    field: str
    """The repeated field of the request that holds them."""
    renamed: Mapping[str, str] = MappingProxyType({})
    """What fields of the request are called in files."""
    has_dry_run = False
    batch_records: int
    batch_bytes: int

    @abstractmethod
    def message(self, record: T) -> Any:
        """Return a record as an element of that field."""

    @abstractmethod
    def request(self, messages: Sequence[Any], key: str, *, dry_run: bool) -> Any:
        """Return the request that records these; `key` is of nothing but their batch.

        A dry run is only asked for of a kind that has it.
        """

    @abstractmethod
    def send(self, request: Any) -> None:
        """Record the request."""

    def before(self, messages: Sequence[Any], ask: Asking) -> None:
        """Do what has to be done before these are recorded, each call through `ask`."""


class ImportRun(Generic[T]):
    """Sends the records of a file batch by batch, each after the answer to the one before.

    In that order the last report of a thing is the last in the file, whatever was rejected between.
    A batch has a key made of all that was sent up to its end, so that a file that is imported again
    has the same keys. For it the bounds of batches must not depend on anything but the file.
    """

    def __init__(self, kind: Importable[T], name: str, done: KeptProgress) -> None:
        self._kind = kind
        self._name = name
        self._done = done
        self._named = re.compile(rf"{kind.field}\[(\d+)\]\.?")
        self._patience = Patience()

    def run(self, records: Iterator[Record[T]], advance: Callable[[int], None]) -> None:
        """Record everything that is not done yet; `advance` gets the byte that was reached."""
        batch: list[tuple[int, Any]] = []
        size = read = end_byte = 0
        for record in itertools.islice(records, self._done.numbers["records"], None):
            read, end_byte = read + 1, record.end_byte
            if record.value is None:
                self._reject(record.line, record.problem)
                continue
            message = self._kind.message(record.value)
            batch.append((record.line, message))
            size += message.ByteSize()
            if len(batch) >= self._kind.batch_records or size >= self._kind.batch_bytes:
                self._finish(batch, read)
                advance(end_byte)
                batch, size, read = [], 0, 0
        self._finish(batch, read)
        advance(end_byte)

    def _finish(self, batch: list[tuple[int, Any]], read: int) -> None:
        if batch:
            messages = [message for _, message in batch]
            self._kind.before(messages, self._patience.ask)
            content = self._kind.request(messages, "", dry_run=False).SerializeToString(
                deterministic=True
            )
            chained = bytes.fromhex(self._done.text) + content
            self._done.text = hashlib.blake2b(chained, digest_size=20).hexdigest()
            self._send(batch, self._done.text)
        self._done.numbers["records"] += read
        self._done.keep()

    def _send(self, batch: list[tuple[int, Any]], key: str) -> None:
        """Record a batch without the records that the server rejects."""
        first, last = (batch[place][0] for place in (0, -1))
        # Once something is rejected, or the key is known, a dry run says what else is: a key that
        # is known answers before everything is looked at.
        dry_run = was_dry = False
        while batch:
            request = self._kind.request([message for _, message in batch], key, dry_run=dry_run)
            try:
                self._patience.ask(functools.partial(self._kind.send, request))
            except grpc.RpcError as error:
                if not self._is_known(error):
                    rejected = self._rejected(batch, error)
                    batch = [entry for place, entry in enumerate(batch) if place not in rejected]
                elif was_dry:
                    click.echo(
                        f"{self._name}: lines {first} to {last}: were recorded before, when others"
                        " of them were rejected",
                        err=True,
                    )
                    break
                dry_run, was_dry = self._kind.has_dry_run, False
            else:
                if not dry_run:
                    break
                dry_run, was_dry = False, True
        self._done.numbers["recorded"] += len(batch)

    @staticmethod
    def _is_known(error: Any) -> bool:
        """Whether the batch was recorded before, when fewer or more of it were rejected."""
        return error.code() is grpc.StatusCode.ALREADY_EXISTS and any(
            field == "idempotency_key" for field, _ in violations_of(error)
        )

    def _rejected(self, batch: list[tuple[int, Any]], error: Any) -> set[int]:
        """Report the records that an error names, and return their places in the batch."""
        if error.code() not in REJECTIONS:
            raise error
        sentences: dict[int, list[str]] = {}
        for field, sentence in violations_of(error):
            if named := self._named.match(field):
                problem = self._named.sub("", sentence, count=1)
                name, space, rest = problem.partition(" ")
                problem = self._kind.renamed.get(name, name) + space + rest
                sentences.setdefault(int(named[1]), []).append(problem)
        if not sentences:
            raise error
        for place, problems in sorted(sentences.items()):
            self._reject(batch[place][0], "; ".join(problems))
        return set(sentences)

    def _reject(self, line: int, problem: str) -> None:
        self._done.numbers["refused"] += 1
        click.echo(f"{self._name}: line {line}: {problem}", err=True)


def import_file(kind: Importable[Any], name: str, file_format: str | None, target: str) -> int:
    """Record a file and say how much was; return 1 if something was rejected, else 0."""
    with one_line_errors():
        path = None if name == STANDARD_STREAM else Path(name)
        size = None if path is None else path.stat().st_size
        done = KeptProgress(
            path=path and path.with_name(f"{path.name}.progress"),
            identity=_identity(path, target, kind),
            numbers={"records": 0, "recorded": 0, "refused": 0},
        )
        if done.load():
            click.echo(f"going on after {done.numbers['records']} records", err=True)
        run = ImportRun(kind, "stdin" if path is None else name, done)
        with bytes_bar(name, size) as advance:
            run.run(read_records(name, format_of(name, file_format), kind), advance)
        done.forget()
    refused = done.numbers["refused"]
    click.echo(f"recorded {done.numbers['recorded']} {kind.noun}, refused {refused}")
    return 1 if refused else 0


def _identity(path: Path | None, target: str, kind: Importable[Any]) -> dict[str, Any]:
    """Return what distinguishes this import from others: a file that was changed is another one."""
    if path is None:
        return {}
    stat = path.stat()
    return {
        "noun": kind.noun,
        "size": stat.st_size,
        "mtime_ns": stat.st_mtime_ns,
        "target": target,
    }
