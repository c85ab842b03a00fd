"""Children that end with their parent, however it ends.

This file is also a program of its own, between the parent and the child's program: it asks the
kernel for a signal when the parent dies, and becomes the child's program. A function run between
fork and exec (`preexec_fn`) would do, were it safe in a process that has threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def ending_with_parent(command: Sequence[str]) -> list[str]:
    """Return the command that runs `command` and has it killed when this process dies.

    Linux watches the thread that starts the child: start it in the main thread.
    """
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def main() -> None:
    """Ask for the signal, then run the command in the place of this program."""
    parent, *command = sys.argv[1:]
    # Only Linux has it. Elsewhere a child outlives a parent that is killed, and keeps its port.
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    # The parent may have died before the kernel was asked.
    if os.getppid() != int(parent):
        sys.exit(1)
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main()
