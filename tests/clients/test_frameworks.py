"""What Pipecat and LiveKit Agents measure is what the product answers: the real packages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.clients.agents import run
from tests.clients.conftest import Organization
from tests.clients.environments import FRAMEWORKS, python_with
from tests.documentation.pages import DOCS

from vumeter_client import metric_names

CLIENT = Path(metric_names.__file__).parent.parent
PAGE = (DOCS / "metric-names.md").read_text()
pytestmark = pytest.mark.timeout(600)


def run_in(framework: str, organization: Organization) -> str:
    """Run the program of a framework in its environment; return what it logged."""
    command = [str(python_with(framework)), str(FRAMEWORKS / f"{framework}_session.py")]
    return run(command, organization).stderr


def session(organization: Organization, session_id: str) -> dict[str, tuple[dict[str, str], float]]:
    """Return labels and value of each metric of a session, which has one series of each."""
    series = organization.session(session_id)
    found = {
        name: (
            {key: text for key, text in labels.items() if key != "agent_id"},
            float(value),
        )
        for name, labels, value in series
    }
    assert len(found) == len(series)
    assert {labels["agent_id"] for _, labels, _ in series} == {"front_desk"}
    return found


def test_each_measurement_of_a_pipecat_pipeline_is_a_point(organization: Organization) -> None:
    run_in("pipecat", organization)
    found = session(organization, "s1")
    labels, latency_ms = found.pop("e2e_latency_ms")
    assert labels == {}
    # The silence that the VAD waited for is part of it.
    assert latency_ms >= 250
    stt, llm, tts = ({"service": f"Clinic{kind}"} for kind in ("STT", "LLM", "TTS"))
    with_model = llm | {"model": "m-1"}
    other = {"service": "Translator"}
    assert found == {
        "transcription_delay_ms": (stt, 125),
        "stt_audio_seconds": (stt, 2.5),
        "ttft_ms": (llm, 250),
        "ttfat_ms": (with_model, 750),
        "llm_thinking_ms": (with_model, 500),
        "llm_input_tokens": (llm, 100),
        "llm_output_tokens": (llm, 20),
        "llm_cached_input_tokens": (llm, 80),
        "tts_ttfb_ms": (tts, 200),
        "tts_ttfa_ms": (tts, 200),
        "tts_leading_silence_ms": (tts, 0),
        "text_aggregation_ms": (tts, 50),
        "tts_characters": (tts, 21),
        "service_ttfb_ms": (other, 500),
        "processing_ms": (other, 750),
        "turn_detection_ms": ({"service": "Turns"}, 30),
        "interruptions": ({}, 1),
    }
    # One point of each: Pipecat's zeros at the start, the negative time and the time to first byte
    # inside of others are not among them.
    rows = organization.get("/names")
    assert sorted(rows) == sorted([*found, "e2e_latency_ms"])
    totals = organization.totals()
    assert {name: totals[name] for name in found} == {
        name: value for name, (_, value) in found.items()
    }


def test_turns_and_usage_of_a_livekit_session_are_points(organization: Organization) -> None:
    log = run_in("livekit", organization)
    assert_turns_that_livekit_measured(session(organization, "text"))
    # An event of an unknown form is logged, and the session went on.
    assert log.count("an event of LiveKit was not recorded") == 1
    stt, llm, tts = (
        {"provider": "clinic", "model": model} for model in ("ears-2", "mind-1", "voice-3")
    )
    assert session(organization, "call") == {
        "e2e_latency_ms": ({}, 1_000),
        "transcription_delay_ms": (stt, 125),
        "end_of_turn_delay_ms": ({}, 500),
        "user_turn_callback_ms": ({}, 2),
        "ttft_ms": (llm, 250),
        "ttfs_ms": (llm, 375),
        "llm_tokens_per_second": (llm, 42.5),
        "tts_ttfb_ms": (tts, 200),
        "playback_latency_ms": ({}, 1),
        "interruptions": ({}, 1),
        "llm_input_tokens": (llm, 230),
        "llm_output_tokens": (llm, 5),
        "llm_reasoning_tokens": (llm, 3),
        "stt_audio_seconds": (stt, 2.5),
        "tts_characters": (tts, 21),
    }
    # A turn has the time at which it was spoken.
    (series,) = organization.get(
        "/timeseries",
        metricName="e2e_latency_ms",
        startDate="2025-04-01T10:00:03Z",
        endDate="2025-04-01T10:00:04Z",
    )["result"]
    assert [value for _, value in series["values"]] == ["1000"]


def assert_turns_that_livekit_measured(found: dict[str, tuple[dict[str, str], float]]) -> None:
    model = {"provider": "clinic", "model": "mind-1"}
    assert {name: labels for name, (labels, _) in found.items()} == dict.fromkeys(
        (
            "ttft_ms",
            "llm_tokens_per_second",
            "llm_input_tokens",
            "llm_cached_input_tokens",
            "llm_output_tokens",
        ),
        model,
    )
    # Two turns of 100, 80 and 5 tokens.
    assert [found[f"llm_{kind}_tokens"][1] for kind in ("input", "cached_input", "output")] == [
        200,
        160,
        10,
    ]
    # The model waits for 10 ms before each chunk.
    assert found["ttft_ms"][1] >= 10


def test_the_page_lists_every_name_with_its_type() -> None:
    listed = re.findall(r"^\| `(\w+)` \| (histogram|counter), ([\w/ ]+) \|", PAGE, re.MULTILINE)
    types = {name: (type_, unit) for name, type_, unit in listed}
    assert len(types) == len(listed)
    latencies = dict.fromkeys(metric_names.LATENCIES, ("histogram", "ms"))
    rates = dict.fromkeys(metric_names.RATES, ("histogram", "tokens/s"))
    assert {
        name: each for name, each in types.items() if each[0] == "histogram"
    } == latencies | rates
    assert {name for name, (type_, _) in types.items() if type_ == "counter"} == set(
        metric_names.COUNTS
    )


def test_every_name_that_the_frameworks_use_is_a_standard_one() -> None:
    standard = {*metric_names.LATENCIES, *metric_names.RATES, *metric_names.COUNTS}
    used = {
        name
        for module in ("pipecat", "livekit")
        for name in re.findall(
            r'"(\w+_(?:ms|seconds|tokens|characters)|interruptions|llm_tokens_per_second)"',
            (CLIENT / "vumeter_client" / f"{module}.py").read_text(),
        )
    } - {"input_tokens", "output_tokens", "prompt_tokens", "completion_tokens"}
    fields = {name for name in used if name.endswith("_tokens") and name not in standard}
    assert fields <= {
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
        "input_audio_tokens",
        "input_cache_creation_tokens",
        "input_cached_tokens",
        "output_audio_tokens",
        "output_reasoning_tokens",
        "reasoning_tokens",
    }
    assert used - fields == standard
