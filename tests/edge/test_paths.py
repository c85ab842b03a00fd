"""Paths that are not there, and methods that a path does not have."""

from __future__ import annotations

import asyncio
import json

import grpc
import grpc.aio
import pytest
import requests
from tests.edge.asking import get, is_status, raw_request
from tests.edge.conftest import ALLOWED_ORIGIN, Edge
from tests.edge.lua_filter import methods_of_paths

NAMES = "/v1/custom-metrics/names"


async def ask(edge: Edge, verb: str, path: str, **headers: str) -> requests.Response:
    return await asyncio.to_thread(
        requests.request, verb, edge.url + path, headers=headers, timeout=30
    )


@pytest.mark.parametrize("path", sorted(methods_of_paths()))
async def test_another_method_of_a_documented_path_is_405_with_allow(edge: Edge, path: str) -> None:
    allowed = methods_of_paths()[path]
    for verb in sorted({"GET", "POST", "PUT", "PATCH", "DELETE"} - allowed):
        for asked in (path.replace("*", "a%2Fb"), path.replace("*", "x") + "/?agentId=/a?b"):
            response = await ask(edge, verb, asked)
            is_status(response, 405, 12, "Method not allowed")
            assert set(response.headers["allow"].split(", ")) == allowed
            assert response.headers["x-request-id"]


@pytest.mark.parametrize("verb", ["PROPFIND", "TRACE"])
async def test_any_method_that_the_path_does_not_have_is_405(edge: Edge, verb: str) -> None:
    head, _, body = (await raw_request(edge, f"{verb} {NAMES} HTTP/1.1")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 405 ")
    assert b"\r\nallow: GET" in head
    assert json.loads(body) == {"code": 12, "message": "Method not allowed", "details": []}


@pytest.mark.parametrize("name", ["X+Y", "!", "a|b", "~a", "a'b", "*"])
async def test_a_header_whose_name_grpc_does_not_know_changes_nothing(
    edge: Edge, name: str
) -> None:
    response = await ask(edge, "GET", NAMES, **{name: "x", "x-request-id": "kept"})
    assert response.status_code == 200
    assert response.headers["x-request-id"] == "kept"


async def test_a_body_beside_the_wrong_method_is_not_waited_for(edge: Edge) -> None:
    response = await asyncio.to_thread(
        requests.post, edge.url + NAMES, json={"points": []}, timeout=30
    )
    is_status(response, 405, 12, "Method not allowed")


@pytest.mark.parametrize(
    "path",
    [
        "/u",
        "/v1/custom-metrics/nmaes",
        "/v1/custom-metrics/sessions/",
        "/v1/custom-metrics/sessions/a/b",
        "/v1/custom-metrics/Names",
        "/v1/custom-metrics/*",
        "/v1",
    ],
)
async def test_an_unknown_path_is_404_whatever_the_method(edge: Edge, path: str) -> None:
    for verb in ("GET", "POST", "DELETE"):
        response = await ask(edge, verb, path)
        is_status(response, 404, 5, "Not found")
        assert "allow" not in response.headers


async def test_a_page_of_an_allowed_origin_can_read_a_405(edge: Edge) -> None:
    response = await ask(edge, "DELETE", NAMES, origin=ALLOWED_ORIGIN)
    assert response.status_code == 405
    assert response.headers["access-control-allow-origin"] == ALLOWED_ORIGIN


@pytest.mark.parametrize("verb", ["HEAD", "OPTIONS"])
async def test_head_and_options_are_not_judged_by_the_path(edge: Edge, verb: str) -> None:
    response = await ask(edge, verb, NAMES)
    assert response.status_code == 404
    assert "allow" not in response.headers


async def test_health_answers_those_who_ask_for_it(edge: Edge) -> None:
    for verb in ("GET", "HEAD"):
        assert (await ask(edge, verb, "/healthz")).status_code == 200
    for verb in ("POST", "DELETE", "TRACE"):
        response = await ask(edge, verb, "/healthz?probe=1")
        is_status(response, 405, 12, "Method not allowed")
        assert response.headers["allow"] == "GET, HEAD"


async def test_a_request_of_grpc_is_not_judged_by_methods_of_rest(edge: Edge) -> None:
    async with grpc.aio.insecure_channel(edge.target) as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(NAMES)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(b"", timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "Method not allowed" not in str(caught.value.details())
    assert (await get(edge, NAMES)).status_code == 200


@pytest.mark.parametrize("path", ["/", "/ui", "/?", "/ui?x=1"])
async def test_the_root_leads_to_the_dashboard(edge: Edge, path: str) -> None:
    response = await asyncio.to_thread(
        requests.get, edge.url + path, allow_redirects=False, timeout=30
    )
    assert (response.status_code, response.content) == (302, b"")
    assert response.headers["location"].partition("?")[0] == f"{edge.url}/ui/"
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("verb", ["POST", "DELETE"])
async def test_nothing_else_than_a_page_is_asked_of_the_root(edge: Edge, verb: str) -> None:
    response = await ask(edge, verb, "/")
    is_status(response, 405, 12, "Method not allowed")
    assert response.headers["allow"] == "GET"


@pytest.mark.parametrize("path", ["/docs", "/docs?x=1"])
async def test_the_page_of_the_api_is_below_its_path(edge: Edge, path: str) -> None:
    response = await asyncio.to_thread(
        requests.get, edge.url + path, allow_redirects=False, timeout=30
    )
    assert (response.status_code, response.content) == (302, b"")
    assert response.headers["location"].partition("?")[0] == f"{edge.url}/docs/"
