"""A session of LiveKit Agents that is recorded: real turns by text, and the messages of a call.

It runs in an environment that has livekit-agents, and records for `VUMETER_URL` and `VUMETER_KEY`.
"""

from __future__ import annotations

import asyncio
from typing import Any

from livekit.agents import Agent, AgentSession, APIConnectOptions
from livekit.agents.llm import (
    LLM,
    ChatChunk,
    ChatContext,
    ChatMessage,
    ChoiceDelta,
    CompletionUsage,
    LLMStream,
)
from livekit.agents.metrics import AgentSessionUsage, LLMModelUsage, STTModelUsage, TTSModelUsage
from livekit.agents.voice import ConversationItemAddedEvent, SessionUsageUpdatedEvent

from vumeter_client import Recorder
from vumeter_client.livekit import record_session

SPOKEN_AT = 1_743_501_600.0
STT = {"model_name": "ears-2", "model_provider": "clinic"}
LLM_ = {"model_name": "mind-1", "model_provider": "clinic"}
TTS = {"model_name": "voice-3", "model_provider": "clinic"}


class ClinicStream(LLMStream):  # type: ignore[misc]
    """An answer of two chunks, and what it used."""

    async def _run(self) -> None:
        for text in ("Your booking ", "is made."):
            await asyncio.sleep(0.01)
            delta = ChoiceDelta(role="assistant", content=text)
            self._event_ch.send_nowait(ChatChunk(id="r1", delta=delta))
        usage = CompletionUsage(
            completion_tokens=5, prompt_tokens=100, prompt_cached_tokens=80, total_tokens=105
        )
        self._event_ch.send_nowait(ChatChunk(id="r1", usage=usage))


class ClinicLLM(LLM):  # type: ignore[misc]
    """A model that always answers the same."""

    model = "mind-1"
    provider = "clinic"

    def chat(self, *, chat_ctx: ChatContext, tools: Any = None, **_: Any) -> ClinicStream:
        options = APIConnectOptions(max_retry=0)
        return ClinicStream(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=options)


async def talk_by_text(recorder: Recorder) -> None:
    """Two turns that LiveKit measures itself."""
    async with AgentSession(llm=ClinicLLM()) as session:
        record_session(session, recorder.bind(session_id="text"))
        await session.start(Agent(instructions="You take bookings."), record=False)
        for _ in range(2):
            await session.run(user_input="A table for two")


def hear_a_call(recorder: Recorder) -> None:
    """The messages and the usage of a call with audio, with known measurements."""
    session = AgentSession(llm=ClinicLLM())
    record_session(session, recorder.bind(session_id="call"))
    asked = ChatMessage(role="user", content=["A table for two"])
    asked.metrics = {
        "started_speaking_at": SPOKEN_AT,
        "stopped_speaking_at": SPOKEN_AT + 2,
        "transcription_delay": 0.125,
        "end_of_turn_delay": 0.5,
        "on_user_turn_completed_delay": 0.002,
        "stt_metadata": STT,
    }
    answered = ChatMessage(role="assistant", content=["Your booking is made."], interrupted=True)
    answered.metrics = {
        "started_speaking_at": SPOKEN_AT + 3,
        "llm_node_ttft": 0.25,
        "llm_node_tps": 42.5,
        "llm_node_ttfs": 0.375,
        "tts_node_ttfb": 0.2,
        "playback_latency": 0.001,
        "e2e_latency": 1.0,
        "llm_metadata": LLM_,
        "tts_metadata": TTS,
        "provider_request_ids": ["r1"],
    }
    greeted = ChatMessage(role="assistant", content=["Hello"])
    # The model gave no token, and the answer began before the caller had stopped.
    greeted.metrics = {"llm_node_ttft": -1, "tts_node_ttfb": 0.0, "e2e_latency": -0.3}
    for message in (asked, answered, greeted):
        session.emit("conversation_item_added", ConversationItemAddedEvent(item=message))
    llm = LLMModelUsage(provider="clinic", model="mind-1", input_tokens=100, output_tokens=5)
    stt = STTModelUsage(provider="clinic", model="ears-2", audio_duration=2.5)
    tts = TTSModelUsage(provider="clinic", model="voice-3", characters_count=21)
    later = llm.model_copy(update={"input_tokens": 230, "output_reasoning_tokens": 3})
    # LiveKit reports sums since the start of the session.
    for models in ([llm], [llm, stt, tts], [later, stt, tts], [later, stt, tts]):
        usage = AgentSessionUsage(model_usage=models)
        session.emit("session_usage_updated", SessionUsageUpdatedEvent(usage=usage))
    # Something that a later version may emit does not disturb the session.
    session.emit("conversation_item_added", object())


async def main() -> None:
    with Recorder(agent_id="front_desk") as recorder:
        await talk_by_text(recorder)
        hear_a_call(recorder)


if __name__ == "__main__":
    asyncio.run(main())
