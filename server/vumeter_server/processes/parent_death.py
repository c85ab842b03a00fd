"""Children that end with their parent, however it ends."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def end_with_parent(signal_number: signal.Signals = signal.SIGKILL) -> Callable[[], None]:
    """Return what a child runs before its program, so that it gets a signal when its parent dies.

    Linux sends it when the thread ends that made the child: make children in the main thread.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def before_exec() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0)
        # The parent may have died between the fork and here.
        if os.getppid() != parent:
            os._exit(1)

    return before_exec
