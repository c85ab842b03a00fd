"""The pipeline around handlers: whatever they raise, callers are told what the table says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from typing import Any

import grpc
import grpc.aio
import pytest
import requests
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2
from structlog.testing import capture_logs
from tests.edge.conftest import run_edge

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter.custom_metrics.v1 import custom_metrics_rest_pb2 as rest_pb2
from vumeter.custom_metrics.v1.custom_metrics_pb2_grpc import CustomMetricsServiceStub
from vumeter_server.access.authenticator import Authenticator
from vumeter_server.access.keys import StoredKey
from vumeter_server.access.roles import METHODS, PUBLIC
from vumeter_server.access.store import KeyInfo
from vumeter_server.api.call import Call
from vumeter_server.api.pipeline import Pipeline
from vumeter_server.api.server import Server
from vumeter_server.errors import InvalidArgument, LimitExceeded, Unavailable

SECRET = "SELECT secret FROM api_keys -- vumeter.db"
Answering = Callable[[Any], Any]


class Doing:
    """A service whose every method does the same: what a test asks for."""

    field_names: Mapping[str, str] = {"agent_id": "agentId"}

    def __init__(self, service: ServiceDescriptor) -> None:
        self.service = service
        self.error: Exception | None = None
        self.seconds = 0.0
        self.begun = asyncio.Event()
        for method in service.methods:
            setattr(self, method.name, self._method(method))

    def _method(self, method: MethodDescriptor) -> Any:
        answer_type = GetMessageClass(method.output_type)

        async def unary(request: Any, call: Call) -> Message:
            self.begun.set()
            await asyncio.sleep(self.seconds)
            if self.error is not None:
                raise self.error
            return answer_type()

        async def streaming(requests: AsyncIterator[Any], call: Call) -> AsyncIterator[Message]:
            async for _ in requests:
                yield answer_type()
                if self.error is not None:
                    raise self.error

        return streaming if method.server_streaming else unary


class NoKeys:
    """A store of keys without any."""

    async def find_key_info(self, key_id: str) -> KeyInfo | None:
        return None

    async def labels(self, key_ids: Collection[str]) -> Mapping[str, str]:
        return {}

    async def find_key(self, key_id: str) -> StoredKey | None:
        return None

    async def keys_of(self, organization_id: int, most: int) -> list[KeyInfo]:
        return []

    async def save_last_used(self, used: Mapping[str, int]) -> None:
        pass


# Long for a query that a test expects to be answered.
QUERY_SECONDS = 0.5


class Apis:
    """A server whose handlers do what they are told, asked natively and through Envoy."""

    def __init__(self) -> None:
        self.typed = Doing(pb.DESCRIPTOR.services_by_name["CustomMetricsService"])
        self.rest = Doing(rest_pb2.DESCRIPTOR.services_by_name["CustomMetricsRestService"])
        pipeline = Pipeline(
            authenticator=Authenticator(NoKeys(), "", lambda: 0),
            query_timeout_seconds=QUERY_SECONDS,
            methods=dict.fromkeys(METHODS, PUBLIC),
        )
        self.server = Server(pipeline, [self.typed, self.rest], reflection=False)
        self.port = self.server.listen("127.0.0.1:0")
        self.url = ""
        self.stub: Any = None

    def fail(self, error: Exception | None, seconds: float = 0.0) -> None:
        self.typed.error = self.rest.error = error
        self.typed.seconds = self.rest.seconds = seconds

    async def get(self) -> requests.Response:
        return await asyncio.to_thread(
            requests.get, self.url + "/v1/custom-metrics/names", timeout=10
        )


@pytest.fixture(scope="module")
async def running() -> AsyncIterator[Apis]:
    apis = Apis()
    await apis.server.start()
    async with (
        run_edge(apis.port, cors_origins=[]) as edge,
        grpc.aio.insecure_channel(f"127.0.0.1:{apis.port}") as channel,
    ):
        apis.url, apis.stub = edge.url, CustomMetricsServiceStub(channel)
        yield apis
    await apis.server.stop(notice_seconds=0)


@pytest.fixture
def apis(running: Apis) -> Apis:
    running.fail(None)
    return running


async def refused(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


def details(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    trailers: dict[str, Any] = dict(error.trailing_metadata())
    return status_pb2.Status.FromString(trailers["grpc-status-details-bin"])


@pytest.mark.parametrize("error", [RuntimeError(SECRET), KeyError(SECRET), AssertionError(SECRET)])
async def test_an_unexpected_error_is_internal_on_both_apis_and_in_the_log_alone(
    apis: Apis, error: Exception
) -> None:
    apis.fail(error)
    with capture_logs() as logs:
        native = await refused(apis.stub.ListMetricNames(pb.ListMetricNamesRequest()))
        response = await apis.get()
    assert (native.code(), native.details()) == (grpc.StatusCode.INTERNAL, "Internal server error")
    assert details(native) == status_pb2.Status(code=13, message="Internal server error")
    assert response.status_code == 500
    assert response.json() == {"code": 13, "message": "Internal server error", "details": []}
    assert SECRET not in repr(native)
    assert [line["log_level"] for line in logs] == ["error", "error"]
    assert all(SECRET in str(line["exc_info"]) for line in logs)
    assert logs[1]["request_id"] == response.headers["x-request-id"]


async def test_an_unexpected_error_in_a_stream_is_internal_after_its_answers(apis: Apis) -> None:
    apis.fail(RuntimeError(SECRET))
    call = apis.stub.StreamPoints(iter([pb.StreamPointsRequest()] * 2))
    with capture_logs() as logs:
        assert await call.read() == pb.StreamPointsResponse()
        native = await refused(call.read())
    assert (native.code(), native.details()) == (grpc.StatusCode.INTERNAL, "Internal server error")
    assert SECRET in str(logs[0]["exc_info"])


async def test_a_retryable_error_says_when_on_both_apis(apis: Apis) -> None:
    for error, code, status in (
        (LimitExceeded(retry_after_seconds=7), grpc.StatusCode.RESOURCE_EXHAUSTED, 429),
        (Unavailable(retry_after_seconds=7), grpc.StatusCode.UNAVAILABLE, 503),
    ):
        apis.fail(error)
        native = await refused(apis.stub.ListMetricNames(pb.ListMetricNamesRequest()))
        assert native.code() is code
        retry = error_details_pb2.RetryInfo()
        assert details(native).details[0].Unpack(retry)
        assert retry.retry_delay.seconds == 7
        trailers: dict[str, Any] = dict(native.trailing_metadata())
        in_trailer = error_details_pb2.RetryInfo.FromString(trailers["google.rpc.retryinfo-bin"])
        assert in_trailer == retry
        response = await apis.get()
        assert (response.status_code, response.headers["retry-after"]) == (status, "7")
        assert response.json()["message"] == error.message
        assert "google.rpc.retryinfo-bin" not in response.headers


async def test_a_retryable_error_in_a_stream_after_an_answer_keeps_its_status(apis: Apis) -> None:
    apis.fail(Unavailable("Storage is busy or full"))
    call = apis.stub.StreamPoints(iter([pb.StreamPointsRequest()] * 2))
    assert await call.read() == pb.StreamPointsResponse()
    native = await refused(call.read())
    assert native.code() is grpc.StatusCode.UNAVAILABLE
    assert native.details() == "Storage is busy or full"
    assert details(native).details


async def test_fields_are_spelled_as_the_service_says(apis: Apis) -> None:
    apis.fail(InvalidArgument.of("points[3].agent_id", "must be text"))
    response = await apis.get()
    assert response.status_code == 400
    assert response.json()["message"] == "points[3].agentId must be text"


async def test_a_query_is_given_up_at_the_servers_own_limit_and_a_recording_is_not(
    apis: Apis,
) -> None:
    apis.fail(None, seconds=3 * QUERY_SECONDS)
    native = await refused(apis.stub.ListMetricNames(pb.ListMetricNamesRequest()))
    assert native.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert native.details() == "Deadline exceeded"
    assert (await apis.get()).status_code == 504
    assert await apis.stub.RecordPoints(pb.RecordPointsRequest()) == pb.RecordPointsResponse()


async def test_a_caller_who_leaves_is_no_error(apis: Apis) -> None:
    apis.fail(None, seconds=5)
    call = apis.stub.RecordPoints(pb.RecordPointsRequest())
    apis.typed.begun.clear()
    with capture_logs() as logs:
        await apis.typed.begun.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        apis.fail(None)
        await apis.stub.RecordPoints(pb.RecordPointsRequest())
    assert logs == []


@pytest.mark.parametrize("request_id", ["call-17/try-2", "x" * 500])
async def test_a_request_id_of_the_caller_is_used_and_one_that_is_too_long_is_cut(
    apis: Apis, request_id: str
) -> None:
    call = apis.stub.RecordPoints(
        pb.RecordPointsRequest(), metadata=(("x-request-id", request_id),)
    )
    await call
    trailers = dict(await call.trailing_metadata())
    assert trailers["x-request-id"] == request_id[:128]
