"""What the contract promises of the limits of an organization."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conformance.custom_metrics.asking import Practice, at
from tests.conformance.custom_metrics.factories import FACTORIES, Factory, Subject, memory
from tests.conformance.custom_metrics.play import beside_oracle
from tests.conformance.custom_metrics.steps import METRICS, Step, deletions, points
from tests.custom_metrics.points import Point
from tests.effort import tries_on

from vumeter_server.custom_metrics.limits import OTHER, OTHER_LABEL_SETS
from vumeter_server.custom_metrics.matchers import Matcher, Operator
from vumeter_server.custom_metrics.questions import END_OF_TIME_US, DeleteQuery
from vumeter_server.errors import LimitExceeded
from vumeter_server.runtime.limits import DEFAULT_LIMITS, Limits

OTHERS = {name: factory for name, factory in FACTORIES.items() if factory is not memory}


def company(value: str, **tags: str) -> Point:
    return at(1, agent_id="agent_1", tags={"company_id": value, **tags})


def counted(practice: Practice, *by: str) -> dict[tuple[str, ...], float]:
    """Return how many points there are by some labels."""
    _, rows = practice.sums(by=by)
    return {group: total for _, group, _, total in rows}


def delete(practice: Practice, **chosen: Any) -> None:
    query = {"start_us": 0, "end_us": END_OF_TIME_US, "metric_names": None, "filters": ()}
    assert practice.delete_points(DeleteQuery(**{**query, **chosen}))


def of_company(value: str) -> tuple[Matcher]:
    return (Matcher("company_id", Operator.EQUAL, (value,)),)


def test_metrics_beyond_the_limit_are_refused_with_their_batch(subject: Subject) -> None:
    practice, limits = Practice.of(subject), Limits(metrics=2)
    practice.record(at(1), at(2, name="turns"), limits=limits)
    before = practice.everything()
    for _ in range(2):
        with pytest.raises(LimitExceeded) as raised:
            practice.record(
                at(3, name="turns"),
                at(3, name="calls"),
                at(3, name="chats"),
                at(3, name="calls"),
                key="key_1",
                limits=limits,
            )
        (violation,) = raised.value.violations
        assert violation.field == "points[1].name"
        assert violation.problem == "must not add to the limit of 2 metrics: calls"
        assert practice.everything() == before
        subject.maintain()
    # A limit that is lowered takes nothing away; what is known goes on.
    assert practice.record(at(4, name="turns"), limits=Limits(metrics=1), key="key_1") == 1
    assert practice.record(at(4, name="calls"), limits=Limits(metrics=3)) == 1
    # Another organization has its own.
    assert Practice.of(subject, "Dr. Okafor").record(at(1), at(1, name="calls"), limits=limits) == 2


def test_a_metric_without_points_makes_room_and_needs_it_again(subject: Subject) -> None:
    practice, limits = Practice.of(subject), Limits(metrics=1)
    practice.record(at(1), limits=limits)
    subject.maintain()
    with pytest.raises(LimitExceeded):
        practice.record(at(1, name="turns"), limits=limits)
    delete(practice)
    practice.record(at(1, name="turns"), limits=limits)
    with pytest.raises(LimitExceeded):
        practice.record(at(1), limits=limits)
    assert practice.delete("turns")
    practice.record(at(1), limits=limits)
    assert practice.names() == ["booking_attempt"]


@pytest.mark.parametrize("is_flushed", [False, True])
def test_values_beyond_the_limit_of_their_label_are_other(
    subject: Subject, is_flushed: bool
) -> None:
    practice, limits = Practice.of(subject), Limits(label_values=2)
    practice.record(company("a"), company(OTHER), limits=limits)
    if is_flushed:
        subject.maintain()
    for _ in range(2):
        practice.record(company("b"), company("c"), company("d"), company("a"), limits=limits)
    # Each label has its own values.
    practice.record(company("e", origin="phone"), limits=limits)
    assert counted(practice, "company_id", "origin") == {
        ("a", ""): 3,
        ("b", ""): 2,
        (OTHER, ""): 5,
        (OTHER, "phone"): 1,
    }
    # Once there is more room, values are themselves, at once.
    practice.record(company("c"), company("d"), limits=Limits(label_values=3))
    found = counted(practice, "company_id")
    assert found == {("a",): 3, ("b",): 2, ("c",): 1, (OTHER,): 7}


@pytest.mark.parametrize("key", ["agent_id", "environment_id"])
def test_agents_and_environments_have_a_limit_too(subject: Subject, key: str) -> None:
    practice, limits = Practice.of(subject), Limits(label_values=1)
    for number in range(3):
        practice.record(at(1, **{key: f"id_{number}"}), limits=limits)
    assert counted(practice, key) == {("id_0",): 1, (OTHER,): 2}


def test_values_whose_points_are_deleted_make_room_and_need_it_again(subject: Subject) -> None:
    practice, limits = Practice.of(subject), Limits(label_values=2)
    practice.record(company("a"), company("b"), company("c"), limits=limits)
    delete(practice, filters=of_company("a"))
    practice.record(company("c"), company("a"), limits=limits)
    subject.maintain()
    practice.record(company("c"), company("a"), company("b"), limits=limits)
    assert counted(practice, "company_id") == {("b",): 2, ("c",): 2, (OTHER,): 3}
    delete(practice, filters=of_company("c"))
    practice.record(company("a"), company("c"), limits=limits)
    assert counted(practice, "company_id") == {("a",): 1, ("b",): 2, (OTHER,): 4}


def test_label_sets_beyond_the_limit_have_no_tags_of_their_own(subject: Subject) -> None:
    practice, limits = Practice.of(subject), Limits(label_sets=2)
    practice.record(
        company("a", origin="web"),
        company("a"),
        company("b"),
        company("c", origin="web"),
        company("a"),
        at(1, agent_id="agent_2"),
        limits=limits,
    )
    assert counted(practice, "agent_id", "company_id", "origin") == {
        ("agent_1", "a", "web"): 1,
        ("agent_1", "a", ""): 2,
        ("agent_1", OTHER, ""): 1,
        ("agent_1", OTHER, OTHER): 1,
        ("agent_2", "", ""): 1,
    }
    practice.record(company("b"), limits=DEFAULT_LIMITS)
    assert counted(practice, "company_id")[("b",)] == 1


def test_label_sets_of_ever_new_agents_and_then_keys_come_to_an_end(subject: Subject) -> None:
    practice, limits = Practice.of(subject), Limits(label_sets=1)
    practice.record(at(1), limits=limits)
    agents = [at(1, agent_id=f"agent_{number}") for number in range(2 * OTHER_LABEL_SETS)]
    practice.record(*agents, limits=limits)
    found = counted(practice, "agent_id")
    # As many agents as there are further label sets, all others are one.
    assert found.pop((OTHER,)) == OTHER_LABEL_SETS
    assert found.pop(("",)) == 1
    assert len(found) == OTHER_LABEL_SETS
    # One of them is used; ever new keys use up the others.
    keys = [at(1, tags={f"key_{number}": "x"}) for number in range(OTHER_LABEL_SETS)]
    practice.record(*keys[1:], limits=limits)
    before = practice.everything()
    with pytest.raises(LimitExceeded) as raised:
        practice.record(keys[0], at(1), limits=limits)
    assert raised.value.message == "An organization has at most 1 label sets"
    assert practice.everything() == before
    assert practice.record(*keys[1:], *agents, limits=limits)
    assert subject.problems() == []


def test_label_sets_whose_labels_are_deleted_make_room(subject: Subject) -> None:
    practice, limits = Practice.of(subject), Limits(label_sets=2)
    practice.record(company("a"), company("b"), company("c"), limits=limits)
    delete(practice, filters=of_company(OTHER))
    delete(practice, filters=of_company("a"))
    practice.record(company("d"), company("a"), limits=limits)
    assert counted(practice, "company_id") == {("b",): 1, ("d",): 1, (OTHER,): 1}


def test_a_metric_that_comes_back_after_its_points_were_deleted_counts(subject: Subject) -> None:
    practice, limits = Practice.of(subject), Limits(metrics=1, label_sets=1, label_values=1)
    practice.record(company("a"), limits=limits)
    delete(practice)
    # What is unused is found out when its label set meets the limit.
    practice.record(company("b"), at(1), limits=limits)
    with pytest.raises(LimitExceeded):
        practice.record(at(1, name="turns"), limits=limits)


def test_limits_are_kept_by_whoever_opens_the_store_next(factory: Factory, tmp_path: Path) -> None:
    limits = Limits(metrics=1, label_values=1)
    with factory(tmp_path, lambda: 0) as subject:
        practice = Practice.of(subject)
        practice.record(company("a"), company("b"), limits=limits)
        delete(practice, filters=of_company("a"))
        practice.record(company("c"), limits=limits)
    with factory(tmp_path, lambda: 0) as subject:
        practice = Practice(subject, practice.organization_id, practice.name)
        practice.record(company("a"), company("c"), limits=limits)
        with pytest.raises(LimitExceeded):
            practice.record(at(1, name="turns"), limits=limits)
        assert counted(practice, "company_id") == {("c",): 2, (OTHER,): 2}


def limited_steps() -> st.SearchStrategy[Step]:
    """Choose something that changes what counts, with limits that are soon met."""
    limits = st.builds(
        Limits,
        metrics=st.integers(1, 3),
        label_sets=st.integers(1, 9),
        label_values=st.integers(1, 3),
    )
    recorded = st.tuples(
        st.just("record"),
        st.sampled_from((0, 0, 0, 1)),
        st.lists(points(), min_size=1, max_size=6),
        st.none(),
        limits,
    )
    return st.one_of(
        recorded,
        recorded,
        recorded,
        deletions(),
        st.tuples(st.just("flush")),
        st.tuples(st.just("delete"), st.sampled_from(tuple(METRICS))),
    )


@pytest.mark.hypothesis
@pytest.mark.parametrize("name", OTHERS)
def test_what_is_beyond_limits_is_the_oracles(name: str) -> None:
    @given(st.lists(limited_steps(), min_size=4, max_size=15))
    @settings(deadline=None, max_examples=tries_on(name, 20, 600))
    def holds(chosen: list[Step]) -> None:
        with beside_oracle(OTHERS[name]) as (store, oracle):
            for number, step in enumerate(chosen):
                assert store.do(step) == oracle.do(step), f"step {number}: {step}"
                assert store.everything() == oracle.everything(), f"step {number}: {step}"
            assert store.subject.problems() == []

    holds()
