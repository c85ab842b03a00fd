"""Periodic work: it goes on after whatever goes wrong, and its end is noticed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from vumeter_server.errors import Unavailable
from vumeter_server.runtime import periodic
from vumeter_server.runtime.periodic import Background, run_periodically

WITHIN_SECONDS = 10.0


class Steps:
    """A step that raises one after the other of `errors`, then succeeds."""

    def __init__(self, *errors: BaseException) -> None:
        self._errors = list(errors)
        self.times: list[float] = []
        self.succeeded = asyncio.Event()

    async def __call__(self) -> None:
        self.times.append(time.monotonic())
        if self._errors:
            raise self._errors.pop(0)
        self.succeeded.set()


async def run_until_success(steps: Steps, **options: Any) -> list[dict[str, Any]]:
    with capture_logs() as logs:
        work: asyncio.Task[None] = asyncio.create_task(
            run_periodically("the_work", steps, **{"every_seconds": 0.01, **options})
        )
        await asyncio.wait_for(steps.succeeded.wait(), WITHIN_SECONDS)
        assert not work.done()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
    return [dict(line) for line in logs]


@pytest.mark.parametrize(
    "error", [ValueError("broken"), AssertionError(), asyncio.CancelledError(), TimeoutError()]
)
async def test_an_unexpected_exception_is_logged_by_name_and_the_work_goes_on(
    error: BaseException,
) -> None:
    (line,) = await run_until_success(Steps(error))
    assert (line["event"], line["log_level"]) == ("periodic_work_failed", "error")
    assert line["work"] == "the_work"


async def test_storage_that_is_busy_is_a_warning() -> None:
    (line,) = await run_until_success(Steps(Unavailable("Storage is busy or full")))
    assert (line["event"], line["log_level"]) == ("periodic_work_put_off", "warning")
    assert (line["work"], line["error"]) == ("the_work", "Storage is busy or full")


async def test_each_further_failure_doubles_the_wait() -> None:
    steps = Steps(*[ValueError("broken")] * 5)
    await run_until_success(steps, every_seconds=0.02)
    waits = [after - before for before, after in zip(steps.times, steps.times[1:], strict=False)]
    for wait, at_least in zip(waits, (0.02, 0.04, 0.08, 0.16, 0.32), strict=True):
        assert wait >= at_least * 0.9


async def test_the_wait_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(periodic, "LONGEST_BACK_OFF_SECONDS", 0.01)
    steps = Steps(*[ValueError("broken")] * 20)
    await run_until_success(steps)
    assert len(steps.times) == 21


async def test_what_is_woken_does_not_wait_for_its_interval() -> None:
    wake, steps = asyncio.Event(), Steps()
    work: asyncio.Task[None] = asyncio.create_task(
        run_periodically("the_work", steps, every_seconds=3_600, wake=wake)
    )
    await asyncio.wait_for(steps.succeeded.wait(), WITHIN_SECONDS)
    steps.succeeded.clear()
    wake.set()
    await asyncio.wait_for(steps.succeeded.wait(), WITHIN_SECONDS)
    work.cancel()


async def test_work_that_is_cancelled_in_a_step_ends() -> None:
    begun = asyncio.Event()

    async def step() -> None:
        begun.set()
        await asyncio.Event().wait()

    work: asyncio.Task[None] = asyncio.create_task(
        run_periodically("the_work", step, every_seconds=0.01)
    )
    await asyncio.wait_for(begun.wait(), WITHIN_SECONDS)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(work, WITHIN_SECONDS)


async def test_work_that_is_cancelled_as_it_is_woken_ends() -> None:
    wake, steps = asyncio.Event(), Steps()
    work: asyncio.Task[None] = asyncio.create_task(
        run_periodically("the_work", steps, every_seconds=3_600, wake=wake)
    )
    await asyncio.wait_for(steps.succeeded.wait(), WITHIN_SECONDS)
    await asyncio.sleep(0)
    wake.set()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(work, WITHIN_SECONDS)


async def test_work_whose_step_hides_the_cancellation_ends() -> None:
    begun = asyncio.Event()

    async def step() -> None:
        begun.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    work: asyncio.Task[None] = asyncio.create_task(
        run_periodically("the_work", step, every_seconds=3_600)
    )
    await asyncio.wait_for(begun.wait(), WITHIN_SECONDS)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(work, WITHIN_SECONDS)


async def fails() -> None:
    raise ValueError("broken")


async def returns() -> None:
    return


@pytest.mark.parametrize("work", [fails, returns])
async def test_a_task_that_ends_by_itself_is_noticed(work: Callable[[], Any]) -> None:
    ended: asyncio.Queue[str] = asyncio.Queue()
    background = Background(ended.put_nowait)
    with capture_logs() as logs:
        background.start("the_work", work())
        assert await asyncio.wait_for(ended.get(), WITHIN_SECONDS) == "the_work"
    assert [(line["event"], line["task"]) for line in logs] == [
        ("background_task_ended", "the_work")
    ]
    await background.stop()


async def test_tasks_that_are_stopped_are_not_noticed() -> None:
    ended: list[str] = []
    background = Background(ended.append)

    def waiting() -> Awaitable[object]:
        return asyncio.Event().wait()

    background.start("the_work", run_periodically("the_work", waiting, every_seconds=1))
    await background.stop()
    assert ended == []
