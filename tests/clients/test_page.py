"""What the page of the client shows is what comes out."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path

from tests.clients.agents import run_agent
from tests.clients.conftest import Organization
from tests.documentation.pages import DOCS, ROOT
from tests.documentation.walkthrough import steps_of

import vumeter_client

PAGE = (DOCS / "clients.md").read_text()
STEPS = [step for step in steps_of(PAGE) if step.answer is not None]


def test_every_block_prints_its_answer(organization: Organization, tmp_path: Path) -> None:
    assert len(STEPS) == 2
    for number, step in enumerate(STEPS):
        program = tmp_path / f"{number}.py"
        program.write_text(step.code)
        assert step.is_answered_by(run_agent(program, organization))


def test_what_is_exported_is_on_the_page() -> None:
    named = set(re.findall(r"\w+", PAGE))
    missing = {name for name in vumeter_client.__all__ if name not in named}
    # Given back by what is on the page.
    assert missing == {"FieldViolation", "QueryResult", "Row", "Stats"}


def test_every_count_is_on_the_page() -> None:
    for each in fields(vumeter_client.Stats):
        assert f"`{each.name}`" in PAGE


def test_defaults_are_those_of_the_page() -> None:
    defaults = {
        name: each.default
        for name, each in inspect.signature(vumeter_client.Recorder).parameters.items()
    }
    assert (defaults["interval"], defaults["timeout"]) == (1.0, 10.0)
    assert (defaults["max_points"], defaults["max_bytes"]) == (100_000, 32 * 1024 * 1024)
    for text in ("`interval` (1 s)", "`timeout`, 10 s", "(100,000)", "(32 MiB)"):
        assert text in PAGE


def test_the_example_records(organization: Organization) -> None:
    printed = run_agent(ROOT / "examples" / "record_turns.py", organization)
    assert printed == "21 of 21 points sent\n"
    topics = {
        labels["topic"]: value
        for name, labels, value in organization.session("session_abc123")
        if name == "faq_query"
    }
    assert topics == {"pricing": "5", "opening_hours": "5"}
