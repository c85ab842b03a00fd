"""One call, any order, same result: the store against brute force, on chosen and random events."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import asynccontextmanager
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import FIGURES, Oracle

from vumeter_server.live_metrics.board import Board
from vumeter_server.live_metrics.calls import State
from vumeter_server.live_metrics.counters import COLUMNS
from vumeter_server.live_metrics.events import CallOutcome, Event, EventType, RejectionReason
from vumeter_server.live_metrics.history import Buckets
from vumeter_server.live_metrics.sqlite import SqliteLiveStore
from vumeter_server.storage import Database, open_database
