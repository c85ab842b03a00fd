"""The server that has the file, if there is one: its process, its descriptors, its health."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from vumeter_server.commands.diagnosis.finding import Finding, problem, warning
from vumeter_server.runtime.addresses import Address, ip_of
from vumeter_server.runtime.settings import Settings
from vumeter_server.runtime.start_error import StartError

# A connection takes one; so does each file, and a process begins with some dozens.
OPEN_FILES_AT_LEAST: Final = 1_024
SHARE_AT_MOST: Final = 0.8
HEALTH_TIMEOUT_SECONDS: Final = 2.0
# What else than "" says that an operator has to look.
NAMES: Final = {
    "": "the server does not answer calls",
    "vumeter.storage": "the server has met damage in the database",
    "vumeter.clock": "the server does not trust the clock",
}
ADVICE: Final = {
    "": "look at its log",
    "vumeter.storage": "`vumeter db check` says where; restore a backup",
    "vumeter.clock": "`vumeter clock status`",
}


def check_server(path: Path, settings: Settings | None) -> Iterator[Finding]:
    """Yield what is found of the server that has the file."""
    pid = serving_process(path)
    yield _open_files(pid)
    if pid is None:
        yield Finding(check="server", found="none has the file")
    elif settings is not None and settings.tls_cert is None:
        yield _health(pid, settings)
    else:
        # It may ask for a certificate that only clients have.
        yield Finding(check="server", found=f"process {pid} has the file; its health is not asked")


def serving_process(path: Path) -> int | None:
    """Return the id of the process that has the lock of a served file, None if there is none."""
    try:
        status = Path(f"{path.resolve()}.lock").stat()
        locks = Path("/proc/locks").read_text()
    except OSError:
        return None
    place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    for line in locks.splitlines():
        fields = line.split()
        if fields[1] == "FLOCK" and fields[5] == place:
            return int(fields[4])
    return None


def _open_files(pid: int | None) -> Finding:
    check = "open files"
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    found = f"at most {limit} for what this user starts"
    if pid is not None:
        try:
            limit = resource.prlimit(pid, resource.RLIMIT_NOFILE)[0]
            used = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        except OSError:
            return Finding(check=check, found=f"process {pid} belongs to another user")
        found = f"{used} of {limit} in process {pid}"
        if limit != resource.RLIM_INFINITY and used > limit * SHARE_AT_MOST:
            return problem(
                check, found, "raise the limit: LimitNOFILE= of systemd, `ulimit -n` of a shell"
            )
    if limit != resource.RLIM_INFINITY and limit < OPEN_FILES_AT_LEAST:
        return warning(
            check, found, "raise the limit: LimitNOFILE= of systemd, `ulimit -n` of a shell"
        )
    return Finding(check=check, found=found)


def _health(pid: int, settings: Settings) -> Finding:
    check = "server"
    import grpc  # noqa: PLC0415 - only where there is a server
    from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: PLC0415

    try:
        host = Address(host=ip_of(settings.host), port=settings.grpc_port).from_here
    except StartError as error:
        return problem(check, str(error), "set VUMETER_HOST")
    with grpc.insecure_channel(str(host)) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for name in NAMES:
            try:
                answer = stub.Check(
                    health_pb2.HealthCheckRequest(service=name), timeout=HEALTH_TIMEOUT_SECONDS
                )
            except grpc.RpcError:
                return warning(
                    check,
                    f"process {pid} has the file; nothing answers on {host}",
                    "set VUMETER_GRPC_PORT to its port to ask for its health",
                )
            if answer.status != health_pb2.HealthCheckResponse.SERVING:
                return problem(check, f"process {pid}: {NAMES[name]}", ADVICE[name])
    return Finding(check=check, found=f"process {pid} answers on {host} and is healthy")
