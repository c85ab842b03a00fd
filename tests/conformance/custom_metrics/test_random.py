"""Whatever is done in whatever order, every store answers as the oracle does."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conformance.custom_metrics.factories import FACTORIES, memory
from tests.conformance.custom_metrics.play import beside_oracle
from tests.conformance.custom_metrics.steps import Step, steps
from tests.effort import tries_on

OTHERS = {name: factory for name, factory in FACTORIES.items() if factory is not memory}


@pytest.mark.hypothesis
@pytest.mark.parametrize("name", OTHERS)
def test_every_answer_is_the_oracles(name: str) -> None:
    @given(st.lists(steps(), min_size=3, max_size=25))
    @settings(deadline=None, max_examples=tries_on(name, 20, 2_000))
    def holds(chosen: list[Step]) -> None:
        with beside_oracle(OTHERS[name]) as (store, oracle):
            for number, step in enumerate(chosen):
                assert store.do(step) == oracle.do(step), f"step {number}: {step}"
            for _ in range(2):
                assert store.everything() == oracle.everything()
                assert store.subject.problems() == []
                store.flush()

    holds()
