"""What the contract of usage promises."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.conformance.custom_metrics.asking import HOUR_US, Practice
from tests.conformance.custom_metrics.factories import NOON_US, Subject
from tests.custom_metrics.points import Point

from vumeter_server.custom_metrics.matchers import Matcher, Operator
from vumeter_server.custom_metrics.model import MetricType
from vumeter_server.custom_metrics.questions import END_OF_TIME_US, DeleteQuery
from vumeter_server.custom_metrics.usage_store import (
    RecordingRejectionReason,
    RejectionCount,
    Stored,
    StoredLabel,
    StoredMetric,
)
from vumeter_server.errors import Unavailable

NOTHING = Stored(
    points=0, size_bytes=0, metrics=0, labels=0, label_sets=0, by_metric=[], by_label=[]
)


def stored(practice: Practice, most: int = 100) -> Stored:
    """Return what is stored, without sizes, which not every store knows."""
    subject = practice.subject
    found = subject.run(subject.usage.stored(practice.organization_id, most))
    sizes = [found.size_bytes, *(each.size_bytes for each in found.by_metric)]
    assert None in sizes or sum(sizes[1:]) <= sizes[0]  # type: ignore[arg-type, operator]
    return replace(
        found,
        size_bytes=0,
        by_metric=[replace(each, size_bytes=0) for each in found.by_metric],
    )


def metric(name: str, points: int, values: int, kind: MetricType) -> StoredMetric:
    return StoredMetric(name=name, type=kind, points=points, size_bytes=0, label_values=values)


def label(key: str, values: int, sets: int, *, has_other: bool = False) -> StoredLabel:
    return StoredLabel(key=key, values=values, label_sets=sets, has_other=has_other)


def tagged(name: str = "booking_attempt", **tags: str) -> Point:
    return Point(name=name, tags=tags, agent_id="agent_1", session_id=tags.get("company_id"))


def recorded(subject: Subject) -> Practice:
    practice, other = Practice.of(subject), Practice.of(subject, "Dr. Okafor")
    other.record(tagged("their_metric", their_tag="x"))
    practice.record(*(tagged(company_id=f"c{n % 3}", origin="web") for n in range(6)))
    subject.maintain()
    practice.record(
        Point(name="ttft_ms", type="histogram", value=380),
        tagged(company_id="__other__"),
        tagged(company_id="c0", origin="phone"),
    )
    return practice


ALL_OF_IT = Stored(
    points=9,
    size_bytes=0,
    metrics=2,
    labels=3,
    label_sets=6,
    by_metric=[
        metric("booking_attempt", 8, 7, MetricType.COUNTER),
        metric("ttft_ms", 1, 0, MetricType.HISTOGRAM),
    ],
    by_label=[
        label("company_id", 3, 5, has_other=True),
        label("origin", 2, 4),
        label("agent_id", 1, 5),
    ],
)


def test_nothing_is_stored_of_a_new_organization(subject: Subject) -> None:
    assert stored(Practice.of(subject)) == NOTHING


def test_points_are_counted_by_metric_and_values_by_label(subject: Subject) -> None:
    practice = recorded(subject)
    for _ in range(2):
        assert stored(practice) == ALL_OF_IT
        subject.maintain()


def test_the_largest_come_first_and_totals_are_of_all(subject: Subject) -> None:
    practice = recorded(subject)
    expected = replace(
        ALL_OF_IT, by_metric=ALL_OF_IT.by_metric[:1], by_label=ALL_OF_IT.by_label[:1]
    )
    assert stored(practice, 1) == expected


def delete(practice: Practice, key: str, value: str) -> None:
    query = DeleteQuery(
        start_us=0,
        end_us=END_OF_TIME_US,
        metric_names=None,
        filters=(Matcher(key, Operator.EQUAL, (value,)),),
    )
    assert practice.delete_points(query)


def test_what_deletion_left_without_points_is_not_counted(subject: Subject) -> None:
    practice = recorded(subject)
    delete(practice, "company_id", "__other__")
    delete(practice, "company_id", "c0")
    for _ in range(2):
        assert stored(practice) == Stored(
            points=5,
            size_bytes=0,
            metrics=2,
            labels=3,
            label_sets=3,
            by_metric=[
                metric("booking_attempt", 4, 4, MetricType.COUNTER),
                metric("ttft_ms", 1, 0, MetricType.HISTOGRAM),
            ],
            by_label=[label("company_id", 2, 2), label("agent_id", 1, 2), label("origin", 1, 2)],
        )
        subject.maintain()
    practice.delete("booking_attempt")
    found = stored(practice)
    assert (found.points, found.metrics, found.by_label) == (1, 1, [])
    # What comes again counts again.
    practice.record(tagged(company_id="c0", origin="web"))
    assert stored(practice).by_label == [
        label("agent_id", 1, 1),
        label("company_id", 1, 1),
        label("origin", 1, 1),
    ]


def rejection(
    key_id: str, reason: RecordingRejectionReason, requests: int, last_us: int = NOON_US
) -> RejectionCount:
    return RejectionCount(
        reason=reason, key_id=key_id, requests=requests, points=10 * requests, last_us=last_us
    )


def test_rejections_are_added_up_by_reason_and_key_for_a_day(subject: Subject) -> None:
    ours, theirs = (Practice.of(subject, name).organization_id for name in ("ours", "theirs"))
    usage = subject.usage

    def save(now_us: int, *rows: tuple[int, RejectionCount]) -> None:
        subject.run(usage.save_rejections(rows, now_us))

    save(
        NOON_US,
        (ours, rejection("vmk_a", RecordingRejectionReason.LIMIT, 2)),
        (ours, rejection("vmk_b", RecordingRejectionReason.LIMIT, 1)),
        (theirs, rejection("vmk_c", RecordingRejectionReason.CLOCK, 7)),
    )
    later = NOON_US + HOUR_US
    save(
        later,
        (ours, rejection("vmk_a", RecordingRejectionReason.LIMIT, 3, later + 5)),
        (ours, rejection("vmk_a", RecordingRejectionReason.LIMIT, 1, later + 3)),
        (ours, rejection("vmk_a", RecordingRejectionReason.TYPE, 1, later)),
    )
    both = [
        rejection("vmk_a", RecordingRejectionReason.LIMIT, 6, later + 5),
        rejection("vmk_b", RecordingRejectionReason.LIMIT, 1),
        rejection("vmk_a", RecordingRejectionReason.TYPE, 1, later),
    ]
    assert subject.run(usage.rejections(ours, later, 100)) == both
    assert subject.run(usage.rejections(ours, later, 2)) == both[:2]
    assert subject.run(usage.rejections(theirs, later, 100)) == [
        rejection("vmk_c", RecordingRejectionReason.CLOCK, 7)
    ]
    last_hour = NOON_US + 24 * HOUR_US
    assert subject.run(usage.rejections(ours, last_hour - 1, 100)) == both
    # Those of an hour go together.
    assert subject.run(usage.rejections(ours, last_hour, 100)) == [
        rejection("vmk_a", RecordingRejectionReason.LIMIT, 4, later + 5),
        rejection("vmk_a", RecordingRejectionReason.TYPE, 1, later),
    ]
    save(last_hour + HOUR_US)
    assert subject.run(usage.rejections(ours, last_hour + HOUR_US, 100)) == []


def test_rejections_are_not_forgotten_while_the_clock_is_not_trusted(subject: Subject) -> None:
    organization_id = Practice.of(subject).organization_id
    usage = subject.usage
    of_noon = rejection("vmk_a", RecordingRejectionReason.LIMIT, 2)
    a_year_later = rejection(
        "vmk_b", RecordingRejectionReason.LIMIT, 1, NOON_US + 366 * 24 * HOUR_US
    )
    subject.run(usage.save_rejections([(organization_id, of_noon)], NOON_US))
    subject.run(usage.save_rejections([(organization_id, a_year_later)], None))
    assert of_noon in subject.run(usage.rejections(organization_id, NOON_US, 10))


@pytest.mark.parametrize("failure", ["full", "locked"])
def test_rejections_that_storage_cannot_take_are_all_left_out(
    subject: Subject, failure: str
) -> None:
    organization_id = Practice.of(subject).organization_id
    rows = [
        (organization_id, rejection(f"vmk_{n:0200}", RecordingRejectionReason.LIMIT, 1))
        for n in range(3_000)
    ]
    with subject.failing(failure), pytest.raises(Unavailable):
        subject.run(subject.usage.save_rejections(rows, NOON_US))
    assert subject.run(subject.usage.rejections(organization_id, NOON_US, 10)) == []
