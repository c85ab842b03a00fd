"""What exports and imports share: progress that is kept, a progress bar, patience with a server."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import click
import grpc
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from vumeter_server.commands.remote import message_of

T = TypeVar("T")

# A server that restarts is back within these; then the work goes on by itself.
RETRY_AFTER_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(kw_only=True, slots=True)
class KeptProgress:
    """How far a transfer has come, written beside its file until it is finished.

    `identity` is what has to be the same for a later command to go on; `path` is None where there
    is nothing to write beside.
    """

    path: Path | None
    identity: Mapping[str, Any]
    numbers: dict[str, int] = field(default_factory=dict)
    text: str = ""

    def load(self) -> bool:
        """Take over what an earlier command kept; return whether there was something."""
        if self.path is None:
            return False
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            kept = json.loads(self.path.read_text())
            if kept["identity"] == self.identity:
                numbers = {name: int(kept["numbers"][name]) for name in self.numbers}
                self.numbers, self.text = numbers, str(kept["text"])
                return True
        return False

    def keep(self) -> None:
        """Write it down; beside a file in a read-only place there is nothing to go on from."""
        if self.path is None:
            return
        kept = asdict(self)
        del kept["path"]
        with contextlib.suppress(OSError):
            new = self.path.with_name(f"{self.path.name}.new")
            new.write_text(json.dumps(kept))
            new.replace(self.path)

    def forget(self) -> None:
        """Remove it: the file is finished."""
        if self.path is not None:
            with contextlib.suppress(OSError):
                self.path.unlink()


class Patience:
    """Waits for a server that is busy or restarts, up to some seconds in a row."""

    def __init__(self) -> None:
        self._tries = 0

    def wait(self, error: Any) -> None:
        """Wait before the next try; raises the error if it says that there should be none."""
        asked = _asked_to_wait(error)
        if asked is None:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise error
            if self._tries >= len(RETRY_AFTER_SECONDS):
                raise error
            click.echo(f"{message_of(error)}; trying again", err=True)
            asked = RETRY_AFTER_SECONDS[self._tries]
            self._tries += 1
        time.sleep(asked)

    def renew(self) -> None:
        """Note that the server answered."""
        self._tries = 0

    def ask(self, call: Callable[[], T]) -> T:
        """Make a call until it is answered."""
        while True:
            try:
                answer = call()
            except grpc.RpcError as error:
                self.wait(error)
            else:
                self.renew()
                return answer


def _asked_to_wait(error: Any) -> float | None:
    """Return after how many seconds a caller that asks too often may ask again."""
    if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
        return None
    packed = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
    for detail in Status.FromString(packed).details:
        retry = RetryInfo()
        if detail.Unpack(retry):
            delay: float = retry.retry_delay.ToNanoseconds() / 1e9
            return min(max(delay, 0.05), 60.0)
    return None


@contextlib.contextmanager
def bytes_bar(name: str, size: int | None) -> Iterator[Callable[[int], None]]:
    """Show how far a file has been read; on a terminal only."""
    with _bar(name, size, in_bytes=True) as update:
        yield lambda end_byte: update(completed=end_byte)


@contextlib.contextmanager
def records_bar(noun: str) -> Iterator[Callable[[float, int], None]]:
    """Show which share of an export is done, and how many records; on a terminal only."""
    with _bar(f"0 {noun}", 1, in_bytes=False) as update:
        yield lambda share, count: update(completed=share, description=f"{count:,} {noun}")


@contextlib.contextmanager
def _bar(description: str, total: float | None, *, in_bytes: bool) -> Iterator[Callable[..., None]]:
    """Yield what updates a bar, which shows bytes or a percentage."""
    if not sys.stderr.isatty():
        yield lambda **_: None
        return
    from rich import progress  # noqa: PLC0415 - only people wait for it
    from rich.console import Console  # noqa: PLC0415

    text = progress.TextColumn
    with progress.Progress(
        text("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn() if in_bytes else text("{task.percentage:.0f} %"),
        progress.TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as bar:
        task = bar.add_task(description, total=total)
        yield lambda **changes: bar.update(task, **changes)
