"""Every recipe answers what its page shows."""

from __future__ import annotations

import re

import pytest
from tests.documentation.pages import DOCS, README, ROOT
from tests.documentation.walkthrough import started_as_shown, steps_of

PAGE = (DOCS / "recipes.md").read_text()
STEPS = steps_of(PAGE)
# What the reader of the README has typed before it comes to custom metrics.
BEFORE = steps_of(README.partition("\n## Custom metrics\n")[0])


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Run the page once, in the second terminal of the README."""
    with started_as_shown(README, ROOT, tmp_path_factory.mktemp("checkout")) as terminal:
        answers = terminal.run([*BEFORE, *STEPS], tmp_path_factory.mktemp("recipes"))
    return answers[len(BEFORE) :]


@pytest.mark.parametrize("number", range(len(STEPS)), ids=[step.name for step in STEPS])
def test_a_recipe_is_answered_as_shown(printed: list[str], number: int) -> None:
    assert STEPS[number].answer is not None
    assert STEPS[number].is_answered_by(printed[number]), printed[number]


def test_there_is_a_recipe_for_each_question_that_people_ask() -> None:
    assert re.findall(r"^## (.+)$", PAGE, re.MULTILINE) == [
        "Percentiles by agent, by hour",
        "Conversion by company",
        "Top topics with the rest",
        "This week against last week",
        "Cost per booking",
        "Average of a gauge per day",
        "Minutes per tenant and month as CSV",
        "Take a mistake back",
        "A customer wants their data deleted",
    ]
