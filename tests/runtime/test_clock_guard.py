"""Whether a clock is trusted, by clocks that a test sets."""

from __future__ import annotations

import pytest
from tests.runtime.clocks import NOON, TTL, Machine, Records, seen

from vumeter_server.runtime.clock_guard import ClockKeeping
from vumeter_server.times.units import DAY_US, HOUR_US, MINUTE_US, SECOND_US


@pytest.mark.parametrize(
    ("last_seen_us", "is_trusted"),
    [
        (NOON - MINUTE_US, True),
        (NOON - 2 * DAY_US, True),
        (NOON - 2 * DAY_US - 1, False),
        (NOON - 500 * DAY_US, False),
        (NOON + DAY_US, True),
    ],
)
def test_a_clock_over_two_days_ahead_of_the_last_seen_time_is_not_trusted_at_the_start(
    last_seen_us: int, is_trusted: bool
) -> None:
    guard = Machine().guard(seen(last_seen_us))
    assert guard.is_trusted is is_trusted
    assert guard.deletion_us() == (NOON if is_trusted else None)


def test_a_database_that_never_saw_a_time_trusts_the_clock() -> None:
    assert Machine().guard().deletion_us() == NOON


@pytest.mark.parametrize("jump_us", [HOUR_US + SECOND_US, 365 * DAY_US, -365 * DAY_US])
def test_a_jump_of_over_an_hour_while_running_pauses_deletion_and_closing(jump_us: int) -> None:
    machine = Machine()
    guard = machine.guard()
    machine.runs(MINUTE_US)
    machine.now_us += jump_us
    assert guard.deletion_us() is None
    assert guard.silent_since_us(TTL) is None
    machine.now_us -= jump_us
    assert guard.deletion_us() == machine.now_us
    assert guard.silent_since_us(TTL) is None, "silence counts from when the clock is right again"
    machine.runs(TTL)
    assert guard.silent_since_us(TTL) == machine.now_us - TTL


def test_small_corrections_are_followed() -> None:
    machine = Machine()
    guard = machine.guard()
    for _ in range(10):
        machine.runs(HOUR_US)
        machine.now_us += 30 * MINUTE_US
        guard.check()
        assert guard.is_trusted
    assert guard.record() == seen(machine.now_us)


def test_a_small_step_ahead_closes_no_call_early() -> None:
    machine = Machine()
    guard = machine.guard()
    received_us = machine.now_us
    machine.now_us += 30 * MINUTE_US
    machine.runs(TTL - SECOND_US)
    silent_since_us = guard.silent_since_us(TTL)
    assert silent_since_us is not None
    assert silent_since_us < received_us
    machine.runs(SECOND_US)
    assert guard.silent_since_us(TTL) == received_us


def test_a_small_step_back_closes_no_call_early() -> None:
    machine = Machine()
    guard = machine.guard()
    machine.now_us -= 30 * MINUTE_US
    guard.check()
    received_us = machine.now_us
    machine.runs(TTL)
    assert guard.silent_since_us(TTL) == received_us


def test_what_is_saved_is_the_last_trusted_time() -> None:
    machine = Machine()
    guard = machine.guard(seen(NOON - MINUTE_US))
    machine.runs(MINUTE_US)
    guard.check()
    machine.now_us += 500 * DAY_US
    guard.check()
    machine.runs(HOUR_US)
    guard.check()
    assert guard.record() == seen(NOON + MINUTE_US, HOUR_US)


def test_a_clock_that_has_run_on_for_a_day_is_trusted_across_restarts() -> None:
    machine = Machine(now_us=NOON + 500 * DAY_US)
    record = seen(NOON)
    for _ in range(3):
        guard = machine.guard(record)
        assert not guard.is_trusted
        for _ in range(7):
            machine.runs(HOUR_US)
            guard.check()
        record = guard.record()
        assert record.seen_us == NOON
    assert record.untrusted_for_us == 21 * HOUR_US
    guard = machine.guard(record)
    machine.runs(3 * HOUR_US)
    assert guard.deletion_us() == machine.now_us
    assert guard.record() == seen(machine.now_us)


def test_another_jump_begins_the_day_anew() -> None:
    machine = Machine(now_us=NOON + 500 * DAY_US)
    guard = machine.guard(seen(NOON))
    machine.runs(20 * HOUR_US)
    guard.check()
    machine.now_us += 500 * DAY_US
    guard.check()
    machine.runs(20 * HOUR_US)
    guard.check()
    assert not guard.is_trusted
    machine.runs(4 * HOUR_US)
    guard.check()
    assert guard.is_trusted


def test_an_operator_accepts_the_clock_and_silence_counts_from_then() -> None:
    machine = Machine(now_us=NOON + 500 * DAY_US)
    guard = machine.guard(seen(NOON))
    guard.accept()
    assert guard.deletion_us() == machine.now_us
    assert guard.silent_since_us(TTL) is None
    machine.runs(TTL)
    assert guard.silent_since_us(TTL) == machine.now_us - TTL


def test_a_clock_that_is_set_right_is_trusted_again() -> None:
    machine = Machine(now_us=NOON + 500 * DAY_US)
    guard = machine.guard(seen(NOON))
    machine.runs(HOUR_US)
    machine.now_us = NOON + 5 * HOUR_US
    assert guard.deletion_us() == machine.now_us


def test_an_operator_who_accepts_an_earlier_clock_sets_the_record_back() -> None:
    machine = Machine(now_us=NOON)
    guard = machine.guard(seen(NOON + 500 * DAY_US))
    guard.accept()
    assert guard.record() == seen(NOON)
    machine.now_us = NOON + 500 * DAY_US
    assert guard.deletion_us() is None


async def test_the_record_is_saved_once_a_minute_and_when_trust_changes() -> None:
    machine, records = Machine(), Records()
    keeping = ClockKeeping(machine.guard(), records, lambda: machine.steady_us)
    for _ in range(121):
        await keeping.step()
        machine.runs(SECOND_US)
    assert records.saved == [seen(NOON + each * MINUTE_US) for each in range(3)]
    machine.now_us += DAY_US
    await keeping.step()
    assert len(records.saved) == 4
    records.is_accepted = True
    await keeping.step()
    assert records.saved[4] == seen(machine.now_us)
    machine.runs(MINUTE_US)
    await keeping.step()
    assert records.went_back == [False] * 4 + [True, False], "on an operator's word alone"
