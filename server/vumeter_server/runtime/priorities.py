"""Which threads go first where processors are scarce."""

from __future__ import annotations

import os
import sys
import threading
from typing import Final

# Heavy work gives way: what is quick must not wait for what takes long anyway.
HEAVY_NICE: Final = 10


def give_way() -> None:
    """Let other threads go before the one that calls, where each has a priority of its own."""
    if sys.platform != "linux":
        # Elsewhere the id of a thread is not that of a process, and might name a stranger's.
        return
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), HEAVY_NICE)
