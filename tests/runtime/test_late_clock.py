"""A clock that stands before the last seen time takes nothing away, and is put right."""

from __future__ import annotations

from functools import partial

import pytest
from structlog.testing import capture_logs
from tests.runtime.clocks import NOON, TTL, Machine, Records, seen

from vumeter_server.runtime.clock_guard import ClockKeeping
from vumeter_server.times.units import DAY_US, HOUR_US, MINUTE_US


@pytest.mark.parametrize("early_us", [0, NOON - DAY_US, NOON - 30 * MINUTE_US])
def test_a_clock_before_the_last_seen_time_is_logged_and_takes_nothing_from_the_record(
    early_us: int,
) -> None:
    machine = Machine(now_us=early_us)
    with capture_logs() as logs:
        guard = machine.guard(seen(NOON))
    assert [(each["event"], each["last_seen"]) for each in logs] == [
        ("clock_behind", "2026-01-01T12:00:00Z")
    ]
    assert guard.record() == seen(NOON)
    for _ in range(50):
        machine.runs(HOUR_US)
        guard.check()
        assert guard.is_trusted
        assert guard.deletion_us() == machine.now_us
        assert guard.record() == seen(max(NOON, machine.now_us))


@pytest.mark.parametrize("ran_us", [MINUTE_US, 10 * DAY_US])
@pytest.mark.parametrize(
    ("off_us", "is_trusted"),
    [
        (-HOUR_US - 1, False),
        (-HOUR_US, True),
        (0, True),
        (2 * DAY_US, True),
        (2 * DAY_US + 1, False),
    ],
)
def test_a_late_clock_that_jumps_near_to_the_record_is_put_right(
    ran_us: int, off_us: int, is_trusted: bool
) -> None:
    machine = Machine(now_us=0)
    guard = machine.guard(seen(NOON))
    machine.runs(ran_us)
    guard.check()
    right_us = NOON + ran_us + off_us
    machine.now_us = right_us
    with capture_logs() as logs:
        guard.check()
    assert guard.is_trusted is is_trusted
    assert [each["event"] for each in logs] == [
        "clock_put_right" if is_trusted else "clock_not_trusted"
    ]
    assert guard.deletion_us() == (right_us if is_trusted else None)
    assert guard.record() == seen(max(NOON, right_us) if is_trusted else NOON)
    assert guard.silent_since_us(TTL) is None, "silence counts from when the clock is put right"
    if is_trusted:
        machine.runs(TTL)
        assert guard.silent_since_us(TTL) == machine.now_us - TTL


def test_a_late_clock_that_jumps_too_far_first_is_put_right_after_all() -> None:
    machine = Machine(now_us=0)
    guard = machine.guard(seen(NOON))
    machine.now_us = NOON + 500 * DAY_US
    assert guard.deletion_us() is None
    machine.now_us = NOON + DAY_US
    assert guard.deletion_us() == NOON + DAY_US


def test_a_clock_that_is_late_no_more_jumps_as_any_other() -> None:
    machine = Machine(now_us=0)
    guard = machine.guard(seen(NOON))
    machine.now_us = NOON
    guard.check()
    assert guard.is_trusted
    machine.now_us += DAY_US
    guard.check()
    assert not guard.is_trusted


async def test_a_machine_that_boots_with_an_early_clock_trusts_the_right_one_at_each_boot() -> None:
    records = Records()
    records.saved.append(seen(NOON))
    for days in (1, 2, 3):
        right_us = NOON + days * DAY_US
        machine = Machine(now_us=0)
        guard = machine.guard(await records.read())
        keeping = ClockKeeping(guard, records, partial(getattr, machine, "steady_us"))
        for _ in range(3):
            await keeping.step()
            machine.runs(MINUTE_US)
        machine.now_us = right_us
        assert guard.deletion_us() == right_us
        machine.runs(MINUTE_US)
        await keeping.step()
        assert records.saved[-1].seen_us == machine.now_us
