"""Live metrics among the server's own metrics, by tenant or of all tenants together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from vumeter_server.live_metrics.counters import Counter
from vumeter_server.live_metrics.live_view import LiveValues, LiveView
from vumeter_server.telemetry.tenants import TenantMetric, render_tenants

_ACTIVE: Final = len(Counter)
_COMPLETED: Final = _ACTIVE + 1
_FAILED: Final = _ACTIVE + 2

_OUTCOMES: Final = (
    ("completed", _COMPLETED),
    ("hung_up", Counter.HUNG_UP),
    ("failed", _FAILED),
    ("no_answer", Counter.NO_ANSWER),
    ("busy", Counter.BUSY),
    ("canceled", Counter.CANCELED),
    ("voicemail", Counter.VOICEMAIL),
    ("timed_out", Counter.TIMED_OUT),
)
_REASONS: Final = (
    ("capacity", Counter.REJECTED_CAPACITY),
    ("tenant_not_configured", Counter.REJECTED_TENANT_NOT_CONFIGURED),
    ("instructions_missing", Counter.REJECTED_INSTRUCTIONS_MISSING),
)

METRICS: Final = (
    TenantMetric(
        name="vumeter_live_active_calls",
        help="Calls that have started and not ended.",
        number=_ACTIVE,
        is_counter=False,
    ),
    TenantMetric(
        name="vumeter_live_accepted_calls",
        help="Calls that were accepted since the start of the service.",
        number=Counter.ACCEPTED,
    ),
    *(
        TenantMetric(
            name="vumeter_live_rejected_calls",
            help="Calls that were rejected since the start of the service, by reason.",
            number=number,
            label="reason",
            value=reason,
        )
        for reason, number in _REASONS
    ),
    TenantMetric(
        name="vumeter_live_started_calls",
        help="Calls that started since the start of the service.",
        number=Counter.STARTED,
    ),
    *(
        TenantMetric(
            name="vumeter_live_ended_calls",
            help="Calls that ended since the start of the service, by outcome.",
            number=number,
            label="outcome",
            value=outcome,
        )
        for outcome, number in _OUTCOMES
    ),
    TenantMetric(
        name="vumeter_live_referred_calls",
        help="Calls that were referred since the start of the service.",
        number=Counter.REFERRED,
    ),
    TenantMetric(
        name="vumeter_live_call_duration_seconds",
        help="Minutes of calls reported since the start of the service, in seconds.",
        number=Counter.MINUTES,
        unit="seconds",
        by=1_000,
    ),
    TenantMetric(
        name="vumeter_live_instructions_db_errors",
        help="Errors of the database of instructions since the start of the service.",
        number=Counter.INSTRUCTIONS_DB_ERROR,
    ),
    TenantMetric(
        name="vumeter_live_fallback_instructions_used",
        help="How often fallback instructions were used since the start of the service.",
        number=Counter.FALLBACK_INSTRUCTIONS_USED,
    ),
)


def exposition(view: LiveView, *, by_tenant: bool) -> Callable[[bool], str]:
    """Return what writes the live metrics as text; any thread may call it.

    Without `by_tenant` there is one series of all tenants together in place of one for each.
    """

    def write(openmetrics: bool) -> str:
        tenants = view.all_values() if by_tenant else [(None, view.values(None))]
        numbered = [(tenant_id, _numbers(values)) for tenant_id, values in tenants]
        return render_tenants(METRICS, numbered, openmetrics=openmetrics)

    return write


def _numbers(values: LiveValues) -> Sequence[int]:
    """Return the counters, and behind them what is made of them."""
    totals = values.totals
    completed = totals[Counter.ENDED] - sum(
        totals[kind]
        for kind in (
            Counter.HUNG_UP,
            Counter.FAILED,
            Counter.NO_ANSWER,
            Counter.BUSY,
            Counter.CANCELED,
            Counter.VOICEMAIL,
        )
    )
    failed = totals[Counter.FAILED] - totals[Counter.TIMED_OUT]
    return (*totals, values.active_calls, completed, failed)
