"""The standard names of what agents measure. `docs/metric-names.md` says from when to when."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, Literal, TypeGuard

from vumeter_client.points import TagValue, Timestamp
from vumeter_client.recording import Recording

LATENCIES: Final = (
    "e2e_latency_ms",
    "transcription_delay_ms",
    "end_of_turn_delay_ms",
    "turn_detection_ms",
    "user_turn_callback_ms",
    "ttft_ms",
    "ttfat_ms",
    "llm_thinking_ms",
    "ttfs_ms",
    "text_aggregation_ms",
    "tts_ttfb_ms",
    "tts_ttfa_ms",
    "tts_leading_silence_ms",
    "playback_latency_ms",
    "service_ttfb_ms",
    "processing_ms",
)
"""Histograms, in milliseconds."""

RATES: Final = ("llm_tokens_per_second",)
"""Histograms, in tokens per second."""

COUNTS: Final = (
    "interruptions",
    "llm_input_tokens",
    "llm_cached_input_tokens",
    "llm_cache_write_tokens",
    "llm_input_audio_tokens",
    "llm_output_tokens",
    "llm_output_audio_tokens",
    "llm_reasoning_tokens",
    "llm_session_seconds",
    "stt_audio_seconds",
    "stt_input_tokens",
    "stt_output_tokens",
    "tts_characters",
    "tts_audio_seconds",
    "tts_input_tokens",
    "tts_output_tokens",
)
"""Counters: of what the name says, or in seconds."""

Measured = float | int | None


def latency(
    into: Recording,
    name: str,
    seconds: Measured,
    tags: Mapping[str, TagValue],
    timestamp: Timestamp = None,
    *,
    unit: Literal["s", "ms"] = "s",
    zero: bool = False,
) -> None:
    """Record how long something took, if it was measured.

    Frameworks say None, -1 or 0 for what they have not measured, and give a negative number where
    two clocks or two events have crossed. None of these is a latency. `zero` says that 0 is one.
    """
    if is_measured(seconds) or (zero and seconds == 0):
        milliseconds = seconds * 1_000 if unit == "s" else seconds
        into.record(name, round(milliseconds, 3), type="histogram", timestamp=timestamp, tags=tags)


def amount(
    into: Recording,
    name: str,
    value: Measured,
    tags: Mapping[str, TagValue],
    timestamp: Timestamp = None,
) -> None:
    """Record how much was used, if it was anything."""
    if is_measured(value):
        into.record(name, round(value, 6), type="counter", timestamp=timestamp, tags=tags)


def is_measured(value: Measured) -> TypeGuard[float]:
    """Whether it is a number above 0."""
    return isinstance(value, (int, float)) and math.isfinite(value) and value > 0
