"""An observer that records what Pipecat measures. It is tested with pipecat-ai 1.14.

worker = PipelineWorker(
pipeline,
params=PipelineParams(enable_metrics=True, enable_usage_metrics=True),
observers=[VumeterObserver(recorder.bind(session_id=call_id))],
)
"""

from __future__ import annotations

import logging
import re
from typing import Any

from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    InterruptionFrame,
    MetricsFrame,
)
from pipecat.metrics.metrics import (
    LLMUsageMetricsData,
    MetricsData,
    ProcessingMetricsData,
    STTUsageMetricsData,
    TextAggregationMetricsData,
    TTFAMetricsData,
    TTFATMetricsData,
    TTFBMetricsData,
    TTSUsageMetricsData,
    TurnMetricsData,
)
from pipecat.observers.base_observer import BaseObserver, FramePushed
from pipecat.observers.user_bot_latency_observer import UserBotLatencyObserver

from vumeter_client.metric_names import amount, latency
from vumeter_client.points import TagValue
from vumeter_client.recording import Recording

log = logging.getLogger("vumeter_client")

TTFB_NAMES = {
    "STTService": "transcription_delay_ms",
    "LLMService": "ttft_ms",
    "TTSService": "tts_ttfb_ms",
}
"""What the time to the first byte is called, by the kind of service that reports it."""

TOKENS = {
    "prompt_tokens": "llm_input_tokens",
    "completion_tokens": "llm_output_tokens",
    "cache_read_input_tokens": "llm_cached_input_tokens",
    "cache_creation_input_tokens": "llm_cache_write_tokens",
    "reasoning_tokens": "llm_reasoning_tokens",
    "input_audio_tokens": "llm_input_audio_tokens",
    "output_audio_tokens": "llm_output_audio_tokens",
}


class VumeterObserver(BaseObserver):  # type: ignore[misc] # Pipecat has no types for others
    """Records each metric that a service reports as a point, as soon as it is reported.

    Besides, it records the latency that the caller feels (`e2e_latency_ms`) and interruptions. The
    time to first byte inside of a time to first audio or answer token is not recorded again. The
    zeros that Pipecat reports at the start, and negative times, are left out.
    """

    def __init__(self, into: Recording, **options: Any) -> None:
        """Record into a recorder, or into what its `bind` returned for the session."""
        super().__init__(observe_every_push=False, **options)
        self._into = into
        self._bot_is_speaking = False
        self._latency = UserBotLatencyObserver()
        self._latency.add_event_handler("on_latency_measured", self._on_latency)

    async def on_push_frame(self, data: FramePushed) -> None:
        """Record what a frame carries; never raises into the pipeline."""
        try:
            await self._latency.on_push_frame(data)
            self._follow_speech(data.frame)
            if isinstance(data.frame, MetricsFrame):
                for metrics in data.frame.data:
                    self._record(metrics, type(data.source))
        except Exception:
            log.exception("a frame of Pipecat was not recorded")

    async def on_pipeline_started(self) -> None:
        """Hand on to the observer of the latency."""
        await self._latency.on_pipeline_started()

    async def cleanup(self) -> None:
        """End the observer of the latency too."""
        await self._latency.cleanup()
        await super().cleanup()

    async def _on_latency(self, _: UserBotLatencyObserver, seconds: float) -> None:
        latency(self._into, "e2e_latency_ms", seconds, {})

    def _follow_speech(self, frame: object) -> None:
        if isinstance(frame, BotStartedSpeakingFrame):
            self._bot_is_speaking = True
        elif isinstance(frame, BotStoppedSpeakingFrame):
            self._bot_is_speaking = False
        elif isinstance(frame, InterruptionFrame) and self._bot_is_speaking:
            # The frame is pushed both ways, and is about one interruption.
            self._bot_is_speaking = False
            amount(self._into, "interruptions", 1, {})

    def _record(self, metrics: MetricsData, source: type) -> None:
        into = self._into
        # Pipecat numbers the instances, which would give each session a label value of its own.
        service = re.sub(r"#\d+$", "", metrics.processor)
        tags: dict[str, TagValue] = {"service": service, "model": metrics.model}
        if isinstance(metrics, TTFAMetricsData):
            latency(into, "tts_ttfa_ms", metrics.ttfa, tags)
            latency(into, "tts_leading_silence_ms", metrics.leading_silence, tags, zero=True)
        elif isinstance(metrics, TTFATMetricsData):
            latency(into, "ttfat_ms", metrics.ttfat, tags)
            latency(into, "llm_thinking_ms", metrics.thinking_time, tags, zero=True)
        elif isinstance(metrics, TTFBMetricsData):
            latency(into, _ttfb_name(source), metrics.value, tags)
        elif isinstance(metrics, ProcessingMetricsData):
            latency(into, "processing_ms", metrics.value, tags)
        elif isinstance(metrics, TextAggregationMetricsData):
            latency(into, "text_aggregation_ms", metrics.value, tags)
        elif isinstance(metrics, TurnMetricsData):
            if metrics.is_complete:
                took_ms = metrics.e2e_processing_time_ms
                latency(into, "turn_detection_ms", took_ms, tags, unit="ms")
        elif isinstance(metrics, LLMUsageMetricsData):
            for field, name in TOKENS.items():
                amount(into, name, getattr(metrics.value, field, None), tags)
        elif isinstance(metrics, STTUsageMetricsData):
            amount(into, "stt_audio_seconds", metrics.value.audio_seconds, tags)
        elif isinstance(metrics, TTSUsageMetricsData):
            amount(into, "tts_characters", metrics.value, tags)


def _ttfb_name(source: type) -> str:
    """Return the name for a service; its base classes are known by name to import none of them."""
    for base in source.__mro__:
        if base.__name__ in TTFB_NAMES:
            return TTFB_NAMES[base.__name__]
    return "service_ttfb_ms"
