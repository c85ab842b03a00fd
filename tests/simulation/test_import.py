"""`vumeter import simulation`: files of calls."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.simulation.conftest import PATHS, Organization

from vumeter_server import cli

# More than a few requests are.
RECORDS = 8_000
EXECUTION = "5819e158-0000-4000-8000-000000000001"
OTHER = "5819e158-0000-4000-8000-000000000002"

Import = Callable[..., tuple[int, str, str]]


def call(number: int, execution: str = EXECUTION, **fields: Any) -> dict[str, Any]:
    return {
        "call_execution_id": f"5af9e484-0000-4000-8000-{number:012}",
        "execution_id": execution,
        **fields,
    }


def answering_in(latency: float) -> dict[str, Any]:
    return {"latency": {"avg_agent_latency_ms": latency}}


def ndjson(path: Path, *lines: Any) -> Path:
    path.write_text(
        "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    )
    return path


@pytest.fixture
def environment(acme: Organization, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The key of an organization in which one execution is recorded."""
    acme.record(f"{PATHS}/executions", {"execution_id": EXECUTION, "run_test_name": "Imported"})
    monkeypatch.setenv("VUMETER_API_KEY", acme.key.key_id)
    monkeypatch.setenv("VUMETER_SECRET_KEY", acme.key.secret)
    return dict(os.environ)


@pytest.fixture
def import_file(
    acme: Organization,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Import:
    def run(path: Path, *options: str, target: str = acme.target) -> tuple[int, str, str]:
        arguments = ["vumeter", "import", "simulation", str(path), f"--target={target}", *options]
        monkeypatch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


def total_calls(acme: Organization, execution: str = EXECUTION) -> int:
    answer = acme.get(f"{PATHS}/metrics", execution_id=execution).json()
    return int(answer["result"]["metrics"]["calls"]["total"])


def test_a_file_of_ndjson_is_recorded(
    acme: Organization, import_file: Import, tmp_path: Path
) -> None:
    lines = [call(number, **answering_in(number)) for number in range(2_500)]
    path = ndjson(tmp_path / "calls.ndjson", *lines, "", "   ")
    assert import_file(path) == (0, "recorded 2500 calls, refused 0\n", "")
    answer = acme.get(f"{PATHS}/metrics", execution_id=EXECUTION).json()
    assert answer["result"]["metrics"]["calls"]["total"] == 2_500
    assert answer["result"]["metrics"]["latency"]["percentiles"]["p50"] == 1_249.5
    assert list(tmp_path.iterdir()) == [path]
    assert import_file(path)[:2] == (0, "recorded 2500 calls, refused 0\n")
    assert total_calls(acme) == 2_500


def test_every_column_of_a_csv_file_is_recorded(
    acme: Organization, import_file: Import, tmp_path: Path
) -> None:
    row = {
        "call_execution_id": call(1)["call_execution_id"].upper(),
        "execution_id": EXECUTION,
        "status": "failed",
        "duration_seconds": "88",
        "avg_agent_latency_ms": "1.234e3",
        "response_time_ms": "",
        "total_cost_cents": " 24 ",
        "stt_cost_cents": "0",
        "llm_cost_cents": "0",
        "tts_cost_cents": "0",
        "user_wpm": "214.37",
        "bot_wpm": "233.69",
        "talk_ratio": "0.217",
        "user_interruption_count": "0",
        "user_interruption_rate": "0.0",
        "ai_interruption_count": "1",
        "ai_interruption_rate": "0.67",
        "avg_stop_time_after_interruption_ms": "",
        "input_tokens": "12685",
        "total_tokens": "12885",
        "output_tokens": "200",
        "message_count": "15",
        "turn_count": "10",
        "avg_latency_ms": "812.5",
        "csat_score": "4.5",
        "customer_latency_metrics": '{"notes": "two lines",\n"bot_wpm": 233.69}',
        "customer_cost_breakdown": "{}",
    }
    path = tmp_path / "calls.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow(row)
    assert import_file(path) == (0, "recorded 1 calls, refused 0\n", "")
    recorded = acme.get(f"{PATHS}/metrics", call_execution_id=call(1)["call_execution_id"]).json()[
        "result"
    ]
    assert recorded["status"] == "failed"
    assert recorded["latency"] == {
        "avg_agent_latency_ms": 1234,
        "response_time_ms": None,
        "customer_latency_metrics": {"notes": "two lines", "bot_wpm": 233.69},
    }
    assert recorded["cost"]["total_cost_cents"] == 24
    assert recorded["chat_metrics"] == {
        "input_tokens": 12685,
        "total_tokens": 12885,
        "output_tokens": 200,
        "message_count": 15,
        "turn_count": 10,
        "avg_latency_ms": 812.5,
        "csat_score": 4.5,
    }


def test_what_is_refused_is_named_by_line_and_the_rest_is_recorded(
    acme: Organization, import_file: Import, tmp_path: Path
) -> None:
    acme.record(f"{PATHS}/executions", {"execution_id": OTHER, "run_test_name": "Imported"})
    acme.record(f"{PATHS}/calls", {"calls": [call(50, OTHER)]})
    path = ndjson(
        tmp_path / "calls.ndjson",
        call(1, duration_seconds=88),
        call(2, duration_seconds=-88),
        "{",
        call(3, latency={"avg_agent_latency_ms": "fast"}),
        "",
        call(4, "5819e158-0000-4000-8000-000000000009"),
        call(5, status="hung up", execution="1"),
        call(50),
        '{"call_execution_id": 1}',
        '{"status": "failed", "status": "failed"}',
        call(1, duration_seconds=30),
    )
    status, printed, told = import_file(path)
    assert (status, printed) == (1, "recorded 2 calls, refused 8\n")
    uuid = "must be a UUID such as 5819e158-0000-4000-8000-000000000001"
    statuses = "pending, registered, ongoing, analyzing, completed, failed, cancelled"
    assert sorted(told.splitlines(), key=lambda line: int(line.split()[2].rstrip(":"))) == [
        f"{path}: line 2: duration_seconds must not be negative",
        f"{path}: line 3: body must be well-formed JSON in UTF-8",
        f"{path}: line 4: latency.avg_agent_latency_ms must be a number",
        f"{path}: line 6: execution_id is not a recorded execution",
        f"{path}: line 7: execution_id {uuid}; status must be one of {statuses}",
        f"{path}: line 8: execution_id must be the one that the call was recorded with",
        f"{path}: line 9: call_execution_id must be a string",
        f"{path}: line 10: status must not be repeated",
    ]
    last = acme.get(f"{PATHS}/metrics", call_execution_id=call(1)["call_execution_id"]).json()
    assert last["result"]["duration_seconds"] == 30


def test_rows_of_csv_are_refused_by_line(import_file: Import, tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    ids = [call(number)["call_execution_id"] for number in range(9)]
    path.write_bytes(
        b"execution_id,call_execution_id,duration_seconds,customer_cost_breakdown\n"
        + f"{EXECUTION},{ids[1]},88,\n".encode()
        + f"{EXECUTION},{ids[2]},nan,\n".encode()
        + f"{EXECUTION},{ids[3]}\n".encode()
        + f'{EXECUTION},{ids[4]},88,"[1,\n2]"\n'.encode()
        + f"{EXECUTION},{ids[5]},1_000,\n".encode()
        + f"{EXECUTION},{ids[6]},88,\xff\n".encode("latin-1")
        + f"\n{EXECUTION},,88,\n".encode()
    )
    status, printed, told = import_file(path)
    assert (status, printed) == (1, "recorded 1 calls, refused 6\n")
    assert told.splitlines() == [
        f"{path}: line 3: duration_seconds must be a number",
        f"{path}: line 4: has 2 cells, the header has 4",
        f"{path}: line 5: customer_cost_breakdown must be a JSON object",
        f"{path}: line 7: duration_seconds must be a number",
        f"{path}: line 8: must be UTF-8",
        f"{path}: line 10: call_execution_id must be given",
    ]


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("execution_id,call_execution_id,latency", "'latency' is not the name of a column"),
        ("execution_id,call_execution_id,execution_id", "the column execution_id is given twice"),
        ("execution_id,status", "the column call_execution_id is missing"),
        ("", "the column call_execution_id is missing"),
    ],
)
def test_a_header_that_cannot_be_used_is_2(
    import_file: Import, tmp_path: Path, header: str, problem: str
) -> None:
    path = tmp_path / "calls.csv"
    path.write_text(f"{header}\n")
    assert import_file(path) == (2, "", f"vumeter: {path}: line 1: {problem}\n")


def test_executions_can_be_made_on_the_way(
    acme: Organization, import_file: Import, tmp_path: Path
) -> None:
    path = ndjson(tmp_path / "calls.ndjson", call(1), call(2, OTHER), call(3, OTHER))
    assert import_file(path, "--run-test", "Imported") == (
        0,
        "recorded 3 calls, refused 0\n",
        "",
    )
    listed = acme.get(f"{PATHS}/metrics", run_test_name="Imported").json()["result"]["results"]
    assert [(each["execution_id"], each["status"], each["total_calls"]) for each in listed] == [
        (OTHER, "completed", 2),
        (EXECUTION, "pending", 1),
    ]


def test_a_server_that_cannot_be_reached_is_2(
    import_file: Import, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vumeter_server.commands.files.transfers.RETRY_AFTER_SECONDS", (0.0,))
    path = ndjson(tmp_path / "calls.ndjson", call(1))
    status, printed, told = import_file(path, target="127.0.0.1:1")
    assert (status, printed) == (2, "")
    assert told.endswith("vumeter: 127.0.0.1:1: the server cannot be reached, or is busy\n")


def test_an_interrupted_import_goes_on_where_it_was(
    acme: Organization, import_file: Import, environment: dict[str, str], tmp_path: Path
) -> None:
    lines = [call(number, duration_seconds=1) for number in range(RECORDS)]
    path = ndjson(tmp_path / "calls.ndjson", "{", *lines)
    progress = tmp_path / "calls.ndjson.progress"
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "vumeter_server.cli", "import", "simulation", str(path)),
            f"--target={acme.target}",
        ],
        env=environment,
        stderr=subprocess.DEVNULL,
    ) as process:
        for _ in range(2_000):
            if progress.exists() or process.poll() is not None:
                break
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    done = json.loads(progress.read_text())["numbers"]["records"]
    assert 0 < done < RECORDS
    status, printed, told = import_file(path)
    assert (status, printed) == (1, f"recorded {RECORDS} calls, refused 1\n")
    assert told == f"going on after {done} records\n"
    answer = acme.get(f"{PATHS}/metrics", execution_id=EXECUTION).json()["result"]["metrics"]
    assert answer["calls"]["total"] == RECORDS
    assert answer["cost"]["total_duration_seconds"] == RECORDS
    assert not progress.exists()
