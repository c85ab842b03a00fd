"""A pipeline of Pipecat with the observer: services of its own classes, with known measurements.

It runs in an environment that has pipecat-ai, and records for `VUMETER_URL` and `VUMETER_KEY`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Any

from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    InterruptionFrame,
    MetricsFrame,
    TextFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.metrics.metrics import (
    LLMTokenUsage,
    STTUsage,
    TextAggregationMetricsData,
    TTFAMetricsData,
    TTFATMetricsData,
    TTFBMetricsData,
    TurnMetricsData,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.llm_service import LLMService
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService
from pipecat.workers.runner import WorkerRunner

from vumeter_client import Recorder
from vumeter_client.pipecat import VumeterObserver

AT = 1_000_000.0


class Measuring:
    """Reports measurements when a text comes by, with the methods that services use."""

    async def report(self: Any) -> None:
        raise NotImplementedError

    def can_generate_metrics(self) -> bool:
        return True

    async def process_frame(self: Any, frame: Frame, direction: FrameDirection) -> None:
        await FrameProcessor.process_frame(self, frame, direction)
        if isinstance(frame, TextFrame) and frame.text == "turn":
            await self.report()
        await self.push_frame(frame, direction)

    async def first_byte_after(self: Any, seconds: float) -> None:
        await self.start_ttfb_metrics(start_time=AT)
        await self.stop_ttfb_metrics(end_time=AT + seconds)


class ClinicSTT(Measuring, STTService):  # type: ignore[misc]
    async def report(self) -> None:
        await self.first_byte_after(0.125)
        await self.start_stt_usage_metrics(STTUsage(audio_seconds=2.5))

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        yield None


class ClinicLLM(Measuring, LLMService):  # type: ignore[misc]
    async def report(self) -> None:
        await self.first_byte_after(0.25)
        answer = TTFATMetricsData(
            processor=self.name, model="m-1", ttfat=0.75, ttfb=0.25, thinking_time=0.5
        )
        await self.push_frame(MetricsFrame(data=[answer]))
        await self.start_llm_usage_metrics(
            LLMTokenUsage(
                prompt_tokens=100,
                completion_tokens=20,
                total_tokens=120,
                cache_read_input_tokens=80,
                reasoning_tokens=0,
            )
        )


class ClinicTTS(Measuring, TTSService):  # type: ignore[misc]
    async def report(self) -> None:
        await self.first_byte_after(0.2)
        # Two clocks have crossed.
        early = TTFBMetricsData(processor=self.name, value=-0.8)
        await self.push_frame(MetricsFrame(data=[early]))
        audio = TTFAMetricsData(processor=self.name, ttfa=0.2, ttfb=0.2, leading_silence=0)
        sentence = TextAggregationMetricsData(processor=self.name, value=0.05)
        await self.push_frame(MetricsFrame(data=[audio, sentence]))
        await self.start_tts_usage_metrics("Your booking is made.")

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        yield None


class Translator(Measuring, FrameProcessor):  # type: ignore[misc]
    """A service that is none of the three kinds."""

    async def report(self) -> None:
        await self.first_byte_after(0.5)
        await self.start_processing_metrics(start_time=AT)
        await self.stop_processing_metrics(end_time=AT + 0.75)
        turns = [
            TurnMetricsData(
                processor="Turns#0", is_complete=done, probability=0.9, e2e_processing_time_ms=30
            )
            for done in (False, True)
        ]
        await self.push_frame(MetricsFrame(data=turns))


async def main() -> None:
    with Recorder(agent_id="front_desk") as recorder:
        worker = PipelineWorker(
            Pipeline([ClinicSTT(), ClinicLLM(), ClinicTTS(), Translator()]),
            params=PipelineParams(enable_metrics=True, enable_usage_metrics=True),
            observers=[VumeterObserver(recorder.bind(session_id="s1"))],
            enable_rtvi=False,
            cancel_on_idle_timeout=False,
        )
        started = asyncio.Event()

        async def on_pipeline_started(*_: object) -> None:
            started.set()

        worker.add_event_handler("on_pipeline_started", on_pipeline_started)

        async def talk() -> None:
            await started.wait()
            stopped = VADUserStoppedSpeakingFrame(stop_secs=0.25, timestamp=time.time())
            frames: list[Frame] = [
                VADUserStartedSpeakingFrame(),
                stopped,
                TextFrame("turn"),
                BotStartedSpeakingFrame(),
                InterruptionFrame(),
                InterruptionFrame(),
                BotStoppedSpeakingFrame(),
                # Nobody is interrupted.
                InterruptionFrame(),
            ]
            for frame in frames:
                await worker.queue_frame(frame)
                # Interruptions overtake what is queued.
                await asyncio.sleep(0.2)
            await worker.stop_when_done()

        runner = WorkerRunner()
        await runner.add_workers(worker)
        await asyncio.gather(runner.run(), talk())


asyncio.run(main())
