"""Running the supervisor, for the commands that start a product."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from vumeter_server.runtime.logs import configure_logs
from vumeter_server.runtime.settings import Settings
from vumeter_server.supervisor import supervisor
from vumeter_server.supervisor.endpoints import Endpoints
from vumeter_server.supervisor.server_process import ChildFailed


def run_supervisor(
    settings: Settings,
    *,
    on_ready: Callable[[Endpoints], Coroutine[Any, Any, None]],
    with_edge: bool = True,
) -> int:
    """Run servers, and Envoy unless it is left out; return the exit status.

    Raises StartError if they could not be started, unless it was a child that ended.
    """
    configure_logs(settings)
    try:
        return asyncio.run(supervisor.run(settings, with_edge=with_edge, on_ready=on_ready))
    except ChildFailed as failed:
        if failed.status == 2:
            return 2
        print(f"vumeter: {failed}", file=sys.stderr)  # noqa: T201
        return 1
