"""Token buckets: nobody gets more than the rate for long, and what is large passes too."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vumeter_server.access import rates
from vumeter_server.access.authenticator import Caller
from vumeter_server.access.rates import RateLimits
from vumeter_server.access.roles import Role
from vumeter_server.errors import LimitExceeded
from vumeter_server.runtime.limits import Limits


class Timer:
    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


def caller(key_id: str = "vmk_1", *, requests: int = 0, points: int = 0) -> Caller:
    limits = Limits(requests_per_second=requests, points_per_second=points)
    return Caller(organization_id=1, role=Role.MEMBER, key_id=key_id, limits=limits)


def passes(limited: RateLimits, who: Caller, points: int | None = None) -> bool:
    try:
        if points is None:
            limited.take_request(who)
        else:
            limited.take_points(who, points)
    except LimitExceeded:
        return False
    return True


def test_a_key_makes_as_many_requests_as_a_second_allows() -> None:
    timer = Timer()
    limited, who, other = RateLimits(timer), caller(requests=3), caller("vmk_2", requests=3)
    assert [passes(limited, who) for _ in range(5)] == [True] * 3 + [False] * 2
    assert passes(limited, other)
    with pytest.raises(LimitExceeded) as raised:
        limited.take_request(who)
    assert raised.value.message == "A key has at most 3 requests per second"
    assert raised.value.retry_after_seconds == 1
    timer.seconds += 1 / 3 + 0.001
    assert [passes(limited, who) for _ in range(2)] == [True, False]
    # What is not used is not saved up.
    timer.seconds += 100
    assert [passes(limited, who) for _ in range(5)] == [True] * 3 + [False] * 2


def test_a_batch_that_is_larger_than_the_rate_is_paid_off_by_those_after_it() -> None:
    timer = Timer()
    limited, who = RateLimits(timer), caller(points=100)
    assert passes(limited, who, 1_000)
    with pytest.raises(LimitExceeded) as raised:
        limited.take_points(who, 1)
    assert raised.value.message == "A key has at most 100 points per second"
    # 900 points are owed, and one more is needed.
    assert raised.value.retry_after_seconds == 10
    timer.seconds += 9
    assert not passes(limited, who, 1)
    timer.seconds += 0.02
    assert passes(limited, who, 1)
    # Requests are counted for themselves.
    assert passes(limited, who)


def test_without_a_limit_everything_passes_and_a_changed_one_counts_at_once() -> None:
    timer = Timer()
    limited = RateLimits(timer)
    assert all(passes(limited, caller(), 10_000) and passes(limited, caller()) for _ in range(99))
    assert [passes(limited, caller(requests=1)) for _ in range(2)] == [True, False]
    assert passes(limited, caller())
    timer.seconds += 1
    assert [passes(limited, caller(requests=5)) for _ in range(7)] == [True] * 5 + [False] * 2


def test_so_many_keys_have_buckets_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MAX_BUCKETS", 2)
    limited = RateLimits(Timer())
    for key_id in ("vmk_1", "vmk_2", "vmk_3"):
        assert passes(limited, caller(key_id, requests=1))
    # The one that was used for longest ago was forgotten; the others were not.
    assert not passes(limited, caller("vmk_3", requests=1))
    assert not passes(limited, caller("vmk_2", requests=1))
    assert passes(limited, caller("vmk_1", requests=1))


@example(rate=1, asked=[(0.06454223324467434, 75)])
@given(
    st.integers(1, 50),
    st.lists(st.tuples(st.floats(0, 3), st.integers(1, 200)), min_size=1, max_size=60),
)
def test_nobody_gets_more_than_a_second_and_one_batch_beyond_the_rate(
    rate: int, asked: list[tuple[float, int]]
) -> None:
    timer = Timer()
    limited, who = RateLimits(timer), caller(points=rate)
    started, taken = timer.seconds, 0
    for pause, points in asked:
        timer.seconds += pause
        if passes(limited, who, points):
            before = taken
            taken += points
            assert before <= rate + (timer.seconds - started) * rate + rate * 1e-6
        else:
            with pytest.raises(LimitExceeded) as raised:
                limited.take_points(who, points)
            # Who waits for as long as he is told gets through.
            timer.seconds += raised.value.retry_after_seconds
            assert passes(limited, who, points)
            taken += points
