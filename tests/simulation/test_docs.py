"""docs/simulation.md says what the product does."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.simulation.conftest import PATHS, Organization

from vumeter.simulation.v1 import simulation_pb2 as pb
from vumeter_server.commands.files.calls import COLUMNS
from vumeter_server.simulation.compare import METRICS
from vumeter_server.simulation.model import CALL_STATUSES, EXECUTION_STATUSES, NUMBER_NAMES

TEXT = (Path(__file__).parent.parent.parent / "docs" / "simulation.md").read_text()


def blocks(language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    return [block for block_language, block in found if block_language == language]


def test_every_rpc_column_number_and_status_is_named() -> None:
    service = pb.DESCRIPTOR.services_by_name["SimulationService"]
    named = [
        *(method.name for method in service.methods),
        *(*COLUMNS, *NUMBER_NAMES, *CALL_STATUSES, *EXECUTION_STATUSES),
        *(metric.rpartition(".")[2] for metric in METRICS),
    ]
    assert [name for name in named if f"`{name}`" not in TEXT and f"{name}`" not in TEXT] == []


def test_the_documented_bodies_are_recorded_with_the_documented_answers(
    acme: Organization,
) -> None:
    execution, recorded, calls, counted = (json.loads(block) for block in blocks("json")[:4])
    assert acme.post(f"{PATHS}/executions", execution).json() == recorded
    assert acme.post(f"{PATHS}/calls", calls).json() == counted


def test_the_python_example_prints_what_is_documented(acme: Organization) -> None:
    (example,) = blocks("python")
    for placeholder, value in (
        ("127.0.0.1:50051", acme.target),
        ("YOUR_API_KEY", acme.key.key_id),
        ("YOUR_SECRET_KEY", acme.key.secret),
    ):
        assert placeholder in example
        example = example.replace(placeholder, value)
    printed: list[str] = []
    exec(compile(example, "example.py", "exec"), {"print": lambda line: printed.append(str(line))})
    assert "\n".join(printed) + "\n" == blocks("")[0]
