"""Engines in processes of their own, so that none runs in the threads or the memory of another."""

from __future__ import annotations

import multiprocessing
import time
import traceback
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench.answers import Answer
from bench.asks import Ask
from bench.dataset import Dataset
from bench.engines.engine import Engine


class EngineFailed(Exception):
    """An engine raised; the text is its traceback."""


class EngineProcess:
    """An engine in a process; its methods are those of the engine."""

    def __init__(self, engine: type[Engine], directory: Path) -> None:
        self.name = engine.name
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, engine, directory), daemon=True)
        self._process.start()
        other.close()

    def load(self, dataset: Dataset) -> float:
        """Load the data set; return the seconds it took."""
        return float(self._call("load", dataset))

    def answers(self, asks: Sequence[Ask]) -> list[Answer]:
        """Return answers that can be compared."""
        answers: list[Answer] = self._call("answers", asks)
        return answers

    def times(self, asks: Sequence[Ask], method: str = "times") -> list[float]:
        """Return the seconds that each ask took."""
        times: list[float] = self._call(method, asks)
        return times

    def versions(self) -> str:
        """Return what is measured, in which version."""
        return str(self._call("versions", None))

    def close(self) -> None:
        """Close the engine and end its process."""
        if self._process.is_alive():
            self._call("close", None)
            self._process.join()

    def _call(self, method: str, argument: Any) -> Any:
        self._connection.send((method, argument))
        try:
            worked, result = self._connection.recv()
        except EOFError:
            raise EngineFailed(f"{self.name} ended by itself") from None
        if not worked:
            raise EngineFailed(f"{self.name}: {result}")
        return result


def _serve(connection: Connection, engine: type[Engine], directory: Path) -> None:
    made = engine(directory)
    method = ""
    while method != "close":
        method, argument = connection.recv()
        try:
            connection.send((True, _run(made, method, argument)))
        except Exception:
            connection.send((False, traceback.format_exc()))


def _run(engine: Engine, method: str, argument: Any) -> Any:
    match method:
        case "load":
            started = time.perf_counter()
            engine.load(argument)
            return time.perf_counter() - started
        case "answers":
            return [engine.answer(ask) for ask in argument]
        case "versions" | "close":
            return getattr(engine, method)()
        case _:
            return getattr(engine, method)(argument)
