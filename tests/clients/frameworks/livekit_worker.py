"""A worker of LiveKit with one job, which exports by itself: nothing here knows vumeter.

It runs in an environment that has livekit-agents. What it measures goes where
`LIVEKIT_OBSERVABILITY_URL` says, by LiveKit's own telemetry.
"""

from __future__ import annotations

import asyncio
import json
import os

from livekit.agents import Agent, AgentServer, AgentSession, JobContext, JobExecutorType
from livekit.agents.llm import ChatMessage
from livekit.protocol import models

# This folder holds it, and the job's process finds it there, too.
from livekit_session import LLM_, STT, TTS, ClinicLLM  # type: ignore[import-not-found]

server = AgentServer(
    job_executor_type=JobExecutorType.THREAD, num_idle_processes=1, host="127.0.0.1", port=0
)


@server.rtc_session()  # type: ignore[untyped-decorator]
async def take_bookings(context: JobContext) -> None:
    """Two turns by text that LiveKit measures, and turns with audio that are given."""
    session = AgentSession(llm=ClinicLLM())
    await session.start(Agent(instructions="You take bookings."), record=True)
    for _ in range(2):
        await session.run(user_input="A table for two")
    for latency in json.loads(os.environ["LATENCIES"]):
        answered = ChatMessage(role="assistant", content=["Your booking is made."])
        answered.metrics = {
            "e2e_latency": latency,
            "tts_node_ttfb": latency / 10,
            "llm_metadata": LLM_,
            "tts_metadata": TTS,
        }
        asked = ChatMessage(role="user", content=["A table for two"])
        asked.metrics = {"transcription_delay": latency / 20, "stt_metadata": STT}
        session.history.items.extend([asked, answered])
    context.shutdown()


async def main() -> None:
    started = asyncio.Event()
    server.once("worker_started", started.set)
    running = asyncio.create_task(server.run(devmode=True, unregistered=True))
    await started.wait()
    room = models.Room(sid="RM_clinic", name="clinic")
    await server.simulate_job("clinic", fake_job=True, room_info=room)
    await server.drain(timeout=60)
    await server.aclose()
    await running


if __name__ == "__main__":
    asyncio.run(main())
