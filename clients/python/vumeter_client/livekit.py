"""Records the exact turns and the usage of LiveKit Agents. It is tested with livekit-agents 1.8.

    session = AgentSession(...)
    record_session(session, recorder.bind(session_id=ctx.room.name))
    await session.start(...)

A self-hosted LiveKit worker can also export metrics by OpenTelemetry: under other names, and as
histograms, from which the latency of one turn does not come back. Use one of both.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from vumeter_client.metric_names import amount, is_measured, latency
from vumeter_client.points import TagValue
from vumeter_client.recording import Recording

if TYPE_CHECKING:
    from livekit.agents import (
        AgentSession,
        ChatMessage,
        ConversationItemAddedEvent,
        SessionUsageUpdatedEvent,
    )
    from livekit.agents.metrics import AgentSessionUsage

log = logging.getLogger("vumeter_client")

TURN_LATENCIES = {
    "e2e_latency": ("e2e_latency_ms", ""),
    "transcription_delay": ("transcription_delay_ms", "stt"),
    "end_of_turn_delay": ("end_of_turn_delay_ms", ""),
    "on_user_turn_completed_delay": ("user_turn_callback_ms", ""),
    "llm_node_ttft": ("ttft_ms", "llm"),
    "llm_node_ttfs": ("ttfs_ms", "llm"),
    "tts_node_ttfb": ("tts_ttfb_ms", "tts"),
    "playback_latency": ("playback_latency_ms", ""),
}
"""The name of each latency of a turn, and whose model measured it."""

USAGE = {
    "llm_usage": {
        "input_tokens": "llm_input_tokens",
        "input_cached_tokens": "llm_cached_input_tokens",
        "input_cache_creation_tokens": "llm_cache_write_tokens",
        "input_audio_tokens": "llm_input_audio_tokens",
        "output_tokens": "llm_output_tokens",
        "output_audio_tokens": "llm_output_audio_tokens",
        "output_reasoning_tokens": "llm_reasoning_tokens",
        "session_duration": "llm_session_seconds",
    },
    "stt_usage": {
        "audio_duration": "stt_audio_seconds",
        "input_tokens": "stt_input_tokens",
        "output_tokens": "stt_output_tokens",
    },
    "tts_usage": {
        "characters_count": "tts_characters",
        "audio_duration": "tts_audio_seconds",
        "input_tokens": "tts_input_tokens",
        "output_tokens": "tts_output_tokens",
    },
}


def record_session(session: AgentSession[Any], into: Recording) -> None:
    """Record every turn of a session, and what its models use, from now on.

    Args:
        session: The session; call this before its `start`.
        into: A recorder, or what its `bind` returned for the session.
    """
    usage = UsageRecorder(into)

    def on_item(event: ConversationItemAddedEvent) -> None:
        if getattr(event.item, "type", None) == "message":
            record_message(event.item, into)

    def on_usage(event: SessionUsageUpdatedEvent) -> None:
        usage.update(event.usage)

    session.on("conversation_item_added", _quietly(on_item))
    session.on("session_usage_updated", _quietly(on_usage))


def record_message(message: ChatMessage, into: Recording) -> None:
    """Record the metrics of one message of a conversation, with the time at which it was spoken."""
    metrics: dict[str, Any] = dict(message.metrics)
    spoken_at = metrics.get("started_speaking_at") or message.created_at
    for field, (name, model_of) in TURN_LATENCIES.items():
        tags = _model_tags(metrics.get(f"{model_of}_metadata"))
        latency(into, name, metrics.get(field), tags, spoken_at)
    rate = metrics.get("llm_node_tps")
    if is_measured(rate):
        into.record(
            "llm_tokens_per_second",
            round(rate, 3),
            type="histogram",
            timestamp=spoken_at,
            tags=_model_tags(metrics.get("llm_metadata")),
        )
    if message.role == "assistant" and message.interrupted:
        amount(into, "interruptions", 1, {}, spoken_at)


class UsageRecorder:
    """Records what models used since the last update. LiveKit reports sums since the start."""

    def __init__(self, into: Recording) -> None:
        """Begin with sums of 0."""
        self._into = into
        self._sums: dict[tuple[str, str, str, str], float] = {}

    def update(self, usage: AgentSessionUsage) -> None:
        """Record by how much the sums have grown."""
        for model in usage.model_usage:
            tags = _model_tags({"model_name": model.model, "model_provider": model.provider})
            for field, name in USAGE.get(model.type, {}).items():
                series = (model.type, model.provider, model.model, field)
                total = getattr(model, field, 0)
                amount(self._into, name, total - self._sums.get(series, 0), tags)
                self._sums[series] = total


def _model_tags(metadata: Any) -> dict[str, TagValue]:
    found = metadata or {}
    return {"model": found.get("model_name"), "provider": found.get("model_provider")}


def _quietly(handler: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return the handler without its errors: the session goes on."""

    def handle(event: Any) -> None:
        try:
            handler(event)
        except Exception:
            log.exception("an event of LiveKit was not recorded")

    return handle
