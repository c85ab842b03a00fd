"""The gRPC server: its options, the standard services beside ours, and its orderly end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final, NoReturn

import grpc
import grpc.aio
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import _async as reflection_async
from grpc_reflection.v1alpha import reflection_pb2

from vumeter_server.api.call import Call
from vumeter_server.api.forwarding import Forwarding
from vumeter_server.api.pipeline import Pipeline, is_query
from vumeter_server.api.servicers import Servicer, answers_as_stream
from vumeter_server.api.tls import DynamicCredentials
from vumeter_server.errors import NotFound
from vumeter_server.runtime.periodic import run_periodically

MAX_REQUEST_BYTES = 16 * 1024 * 1024
MAX_PENDING_REQUESTS = 10_000

OPTIONS: Sequence[tuple[str, Any]] = (
    # A second server on the same port must fail, not share it.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
    ("grpc.max_send_message_length", -1),
    # So many may come at once, such as all watchers after a restart; above its own 1,000 grpc
    # would cancel some of them at random, which looks to a caller like an answer.
    ("grpc.server.max_pending_requests", MAX_PENDING_REQUESTS),
    ("grpc.server.max_pending_requests_hard_limit", 2 * MAX_PENDING_REQUESTS),
    # Long-lived streams are kept open by pings from either side; clients may ping each 10 seconds,
    # without a call too, where grpc's own minimum of five minutes would end the connection.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # Half of that, as a ping that the network holds up makes the next one come early.
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
)

# After NOT_SERVING, proxies that check each second have stopped sending before calls are rejected.
DRAIN_NOTICE_SECONDS = 1.5
DRAIN_SECONDS = 10.0

# Parts of the server whose health is reported beside that of the services.
STORAGE: Final = "vumeter.storage"
CLOCK: Final = "vumeter.clock"
REPORTED_EVERY_SECONDS: Final = 1.0


_Status = health_pb2.HealthCheckResponse


class HealthService:
    """grpc.health.v1.Health: per service, and "" for all of them."""

    service: ServiceDescriptor = health_pb2.DESCRIPTOR.services_by_name["Health"]
    field_names: Mapping[str, str] = {}

    def __init__(self) -> None:
        self._statuses: dict[str, Any] = {}
        self._changed = asyncio.Condition()
        self._is_ending = False
        self._is_leaving = False

    async def set_serving(self, names: Sequence[str]) -> None:
        """Report SERVING for these services."""
        await self._set(dict.fromkeys(names, _Status.SERVING))

    async def set_details(self, details: Mapping[str, bool]) -> None:
        """Report for each name whether it serves, unless the server is leaving."""
        if not self._is_leaving:
            await self._set(
                {
                    name: _Status.SERVING if serves else _Status.NOT_SERVING
                    for name, serves in details.items()
                }
            )

    async def set_not_serving(self) -> None:
        """Report NOT_SERVING for every service from now on."""
        self._is_leaving = True
        await self._set(dict.fromkeys(self._statuses, _Status.NOT_SERVING))

    async def end_watches(self) -> None:
        """End every watch, now and from now on, once it has sent the status as it is."""
        async with self._changed:
            self._is_ending = True
            self._changed.notify_all()

    async def Check(
        self, request: health_pb2.HealthCheckRequest, call: Call
    ) -> health_pb2.HealthCheckResponse:
        """Answer a service's status, NOT_FOUND for an unknown one."""
        if request.service not in self._statuses:
            raise NotFound(f"Unknown service {request.service}")
        return health_pb2.HealthCheckResponse(status=self._statuses[request.service])

    async def Watch(
        self, request: health_pb2.HealthCheckRequest, call: Call
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """Answer a service's status now and at each change; an unknown one is SERVICE_UNKNOWN.

        A server that ends does not wait for those who watch it.
        """
        last: Any = None
        while True:
            async with self._changed:
                while last == self._status(request.service) and not self._is_ending:
                    await self._changed.wait()
                if last == self._status(request.service):
                    return
                last = self._status(request.service)
            yield health_pb2.HealthCheckResponse(status=last)

    async def List(self, request: Any, call: Call) -> Any:
        """Answer the status of every service."""
        statuses = {
            name: health_pb2.HealthCheckResponse(status=status)
            for name, status in self._statuses.items()
        }
        return health_pb2.HealthListResponse(statuses=statuses)

    def _status(self, service: str) -> Any:
        return self._statuses.get(service, _Status.SERVICE_UNKNOWN)

    async def _set(self, statuses: Mapping[str, Any]) -> None:
        async with self._changed:
            self._statuses.update(statuses)
            self._changed.notify_all()


class ReflectionService:
    """grpc.reflection: what grpcurl asks, so that it needs no protos."""

    service: ServiceDescriptor = reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"]
    field_names: Mapping[str, str] = {}

    def __init__(self, service_names: Sequence[str]) -> None:
        self._servicer = reflection_async.ReflectionServicer(service_names)

    async def ServerReflectionInfo(
        self, requests: AsyncIterator[Any], call: Call
    ) -> AsyncIterator[Any]:
        """Answer questions about services and types, one by one."""
        async for response in self._servicer.ServerReflectionInfo(requests, call.context):
            yield response


class Server:
    """A gRPC server with our services, health and reflection."""

    def __init__(
        self,
        pipeline: Pipeline,
        servicers: Sequence[Servicer],
        *,
        reflection: bool,
        forwarding: Forwarding | None = None,
        forwarded: Sequence[ServiceDescriptor] = (),
    ) -> None:
        """Serve `servicers`.

        With `forwarding`, only their queries are answered here; everything else, and the services
        in `forwarded` altogether, is passed on.
        """
        self._server = grpc.aio.server(options=OPTIONS)
        self._arrivals = pipeline.arrivals
        self._health = HealthService()
        # gRPC calls back into it for as long as it listens.
        self._tls: DynamicCredentials | None = None
        self._reporting: asyncio.Future[None] | None = None
        self._names = [servicer.service.full_name for servicer in servicers]
        self._names += [service.full_name for service in forwarded]
        served: list[tuple[str, Servicer]] = [
            (servicer.service.full_name, servicer) for servicer in (*servicers, self._health)
        ]
        if reflection:
            reflected = ReflectionService(
                [*self._names, HealthService.service.full_name, ReflectionService.service.full_name]
            )
            served.append((ReflectionService.service.full_name, reflected))
            # The same messages under the name that clients ask for first.
            served.append(("grpc.reflection.v1.ServerReflection", reflected))
        for name, servicer in served:
            handlers = pipeline.handlers(servicer)
            if forwarding is not None and servicer in servicers:
                handlers |= {
                    method.name: forwarding.handler(
                        method, as_stream=answers_as_stream(servicer, method)
                    )
                    for method in servicer.service.methods
                    if not is_query(method)
                }
            self._server.add_registered_method_handlers(name, handlers)
        if forwarding is None:
            return
        for service in forwarded:
            self._server.add_registered_method_handlers(
                service.full_name,
                {method.name: forwarding.handler(method) for method in service.methods},
            )

    def listen(self, address: str, tls: DynamicCredentials | None = None) -> int:
        """Listen on `address`, such as `127.0.0.1:0`, and return the port.

        Raises OSError if the address is taken.
        """
        self._tls = tls
        try:
            port: int
            if tls is None:
                port = self._server.add_insecure_port(address)
            else:
                port = self._server.add_secure_port(address, tls.credentials)
        except RuntimeError:
            port = 0
        if port == 0:
            raise OSError(f"{address} cannot be listened on: the port is taken")
        return port

    def listen_inside(self, path: str) -> None:
        """Listen without TLS on a socket in a folder of this user alone, for the edge beside it.

        Raises OSError if that is not possible.
        """
        if self._server.add_insecure_port(f"unix:{path}") == 0:
            raise OSError(f"{path} cannot be listened on")

    async def start(self) -> None:
        """Begin to answer."""
        await self._server.start()
        await self._health.set_serving(["", STORAGE, CLOCK, *self._names])

    async def keep_reporting(self, details: Mapping[str, Callable[[], bool]]) -> NoReturn:
        """Report each second for each part of the server whether it is well.

        The status of "", which proxies ask for, is not changed by it.
        """

        async def report() -> None:
            await self._health.set_details({name: is_well() for name, is_well in details.items()})

        await run_periodically("report_health", report, every_seconds=REPORTED_EVERY_SECONDS)

    def report_not_serving(self) -> None:
        """Report NOT_SERVING from now on; calls are still answered."""
        self._reporting = asyncio.ensure_future(self._health.set_not_serving())

    async def stop(
        self,
        *,
        notice_seconds: float | None = None,
        on_notice: Sequence[Callable[[], None]] = (),
    ) -> None:
        """Report NOT_SERVING, let proxies notice, reject new calls, and let the others finish.

        Proxies are given `notice_seconds`, DRAIN_NOTICE_SECONDS if it is None. `on_notice` is
        called once they have noticed: streams that are ended there come back to another server, not
        to this one.
        """
        await self._health.set_not_serving()
        await asyncio.sleep(DRAIN_NOTICE_SECONDS if notice_seconds is None else notice_seconds)
        for notice in on_notice:
            notice()
        await self._health.end_watches()
        await self._arrivals.reject_waiting()
        await self._server.stop(DRAIN_SECONDS)
