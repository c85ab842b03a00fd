"""Work that is done again and again beside the calls, and what happens when it fails or ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, NoReturn

import structlog

from vumeter_server.errors import StorageDamaged, Unavailable

LONGEST_BACK_OFF_SECONDS: Final = 60.0

_log = structlog.get_logger(__name__)


class BackgroundEnded(Exception):
    """Work that runs beside the calls ended by itself; the server stops rather than go on so."""

    def __init__(self, name: str) -> None:
        super().__init__(f"background work ended by itself: {name}")


async def run_periodically(
    name: str,
    step: Callable[[], Awaitable[object]],
    *,
    every_seconds: float,
    wake: asyncio.Event | None = None,
) -> NoReturn:
    """Run `step` now and then every `every_seconds`, until this is cancelled.

    `wake` runs it at once when it is set; it is cleared before each step.

    An exception is logged with `name` and does not end the loop. The step is tried again after
    `every_seconds` or one second, whichever is shorter; each further failure doubles that, up to a
    minute. Damaged storage is one line. Unavailable is expected (the storage is full or busy): it
    is a warning, and the interval stays as it is.
    """
    failures = 0
    while True:
        if wake is not None:
            wake.clear()
        try:
            await step()
            failures = 0
        except Unavailable as error:
            _log.warning("periodic_work_put_off", work=name, error=error.message)
        except StorageDamaged as error:
            # Where it was met is logged already; it will be met again.
            failures += 1
            _log.error("periodic_work_met_damage", work=name, error=error.detail, failures=failures)
        except asyncio.CancelledError:
            if _is_asked_to_end():
                raise
            # Something that the step waited for was cancelled, not this loop.
            failures += 1
            _log.exception("periodic_work_failed", work=name, failures=failures)
        except Exception:
            failures += 1
            _log.exception("periodic_work_failed", work=name, failures=failures)
        if _is_asked_to_end():
            # The step was cancelled and did not pass it on.
            raise asyncio.CancelledError
        if failures:
            await asyncio.sleep(_back_off(every_seconds, failures))
        elif wake is None:
            await asyncio.sleep(every_seconds)
        else:
            # Not wait_for: before Python 3.12 it forgets a cancellation that comes with the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(every_seconds):
                    await wake.wait()


def _is_asked_to_end() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _back_off(every_seconds: float, failures: int) -> float:
    first = min(every_seconds, 1.0)
    return float(min(first * 2 ** min(failures - 1, 20), LONGEST_BACK_OFF_SECONDS))


class Background:
    """The tasks that run beside the calls until the server ends.

    None of them ends by itself. One that does is an error: it is logged, and `on_end` gets its
    name, once for the first.
    """

    def __init__(self, on_end: Callable[[str], None]) -> None:
        self._on_end = on_end
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopping = False

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` as a task named `name`."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._note_end)
        self._tasks.add(task)

    async def stop(self) -> None:
        """Cancel every task, and wait until all of them have ended."""
        self._is_stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _note_end(self, task: asyncio.Task[None]) -> None:
        if self._is_stopping:
            return
        error = None if task.cancelled() else task.exception()
        _log.error("background_task_ended", task=task.get_name(), exc_info=error)
        self._on_end(task.get_name())
