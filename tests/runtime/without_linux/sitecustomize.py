"""Takes from Python what only Linux has; every Python process that finds this file loads it."""

import ctypes
import os
import resource
import select
import signal
import sys
import time
from typing import Any

HIDDEN = {
    select: "epoll EPOLLIN EPOLLOUT EPOLLERR EPOLLHUP EPOLLET EPOLLONESHOT EPOLL_CLOEXEC",
    os: "O_DIRECT O_NOATIME O_PATH O_RSYNC O_TMPFILE copy_file_range eventfd eventfd_read"
    " eventfd_write fdatasync getrandom getresgid getresuid getxattr listxattr memfd_create"
    " pidfd_open pipe2 posix_fadvise posix_fallocate removexattr sched_getaffinity"
    " sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity"
    " sched_setparam sched_setscheduler setns setresgid setresuid setxattr splice"
    " timerfd_create unshare",
    signal: "SIGCLD SIGPOLL SIGPWR SIGRTMAX SIGRTMIN SIGSTKFLT sigtimedwait sigwaitinfo"
    " pidfd_send_signal",
    resource: "RUSAGE_THREAD RLIMIT_MSGQUEUE RLIMIT_NICE RLIMIT_OFILE RLIMIT_RTPRIO RLIMIT_RTTIME"
    " RLIMIT_SIGPENDING prlimit",
    time: "CLOCK_BOOTTIME CLOCK_TAI pthread_getcpuclockid",
}
SOCKET = (
    "AF_ALG AF_CAN AF_NETLINK AF_PACKET AF_TIPC AF_VSOCK IP_TRANSPARENT MSG_CMSG_CLOEXEC"
    " MSG_CONFIRM MSG_ERRQUEUE MSG_FASTOPEN MSG_MORE MSG_NOSIGNAL SOCK_CLOEXEC SOCK_NONBLOCK"
    " SO_BINDTODEVICE SO_DOMAIN SO_MARK SO_PASSCRED SO_PASSSEC SO_PEERCRED SO_PEERSEC SO_PRIORITY"
    " SO_PROTOCOL TCP_CORK TCP_DEFER_ACCEPT TCP_INFO TCP_LINGER2 TCP_QUICKACK TCP_SYNCNT"
    " TCP_USER_TIMEOUT TCP_WINDOW_CLAMP"
)
FCNTL = "F_ADD_SEALS F_GETPIPE_SZ F_GET_SEALS F_NOTIFY F_SETLEASE F_SETPIPE_SZ F_SETSIG"
LIBC = {"prctl", "mallopt", "malloc_trim", "gettid", "sched_getcpu", "getrandom"}


def hide(module: Any, names: str) -> None:
    """Take names from a module, as far as it has them."""
    for name in names.split():
        module.__dict__.pop(name, None)


for each, names in HIDDEN.items():
    hide(each, names)

if hasattr(os, "process_cpu_count"):
    # So it is where there is no sched_getaffinity, from Python 3.13 on.
    os.process_cpu_count = os.cpu_count

# These load the ones above.
import fcntl  # noqa: E402
import socket  # noqa: E402

hide(fcntl, FCNTL)
hide(socket, SOCKET)

_library_function = ctypes.CDLL.__getattr__


def _without(self: ctypes.CDLL, name: str) -> Any:
    if name in LIBC:
        raise AttributeError(name)
    return _library_function(self, name)


ctypes.CDLL.__getattr__ = _without  # type: ignore[method-assign]


def _no_proc(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and str(arguments[0]).startswith(("/proc/", "/sys/")):
        raise FileNotFoundError(2, "No such file or directory", arguments[0])


sys.addaudithook(_no_proc)
