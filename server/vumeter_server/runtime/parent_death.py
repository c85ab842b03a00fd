"""Children that end with their parent, however it ends.

This file is also a program of its own, between the parent and the child's program: it asks the
kernel for a signal when the parent dies, and becomes the child's program. A function run between
fork and exec (`preexec_fn`) would do, were it safe in a process that has threads.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1
_WATCH_EVERY_SECONDS = 0.5


def ending_with_parent(command: Sequence[str]) -> list[str]:
    """Return the command that runs `command` and has it killed when this process dies.

    Linux watches the thread that starts the child: start it in the main thread.
    """
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def main() -> None:
    """Ask for the signal, then run the command in the place of this program."""
    parent, *command = sys.argv[1:]
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    else:
        _watch(int(parent))
    # The parent may have died before the kernel was asked.
    if os.getppid() != int(parent):
        sys.exit(1)
    os.execv(command[0], command)  # noqa: S606


def _watch(parent: int) -> None:
    """Start a process that kills this one once the parent is gone, and ends with this one.

    Only Linux has a signal for that.
    """
    watched = os.getpid()
    if os.fork():
        return
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # Whoever reads what the program writes must see its end.
    os.closerange(0, os.sysconf("SC_OPEN_MAX"))
    while os.getppid() == watched:
        try:
            os.kill(parent, 0)
        except ProcessLookupError:
            with contextlib.suppress(ProcessLookupError):
                os.kill(watched, signal.SIGKILL)
            break
        time.sleep(_WATCH_EVERY_SECONDS)
    os._exit(0)


if __name__ == "__main__":
    main()
