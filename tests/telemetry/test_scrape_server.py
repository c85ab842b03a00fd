"""The server of scrapes: one path, few connections at a time."""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Iterator

import pytest
import requests
from tests.waiting import until

from vumeter_server.runtime.addresses import Address
from vumeter_server.runtime.settings import load_settings
from vumeter_server.runtime.start_error import StartError
from vumeter_server.telemetry.own_metrics import show_on_port
from vumeter_server.telemetry.scrape_server import MAX_CONNECTIONS, Scrape, ScrapeServer

ANSWER = "vumeter_watchers 1.0\n"


def fail(accept: str) -> tuple[str, str]:
    raise RuntimeError("a secret that nobody must see")


@contextlib.contextmanager
def serving(
    host: str = "127.0.0.1", scrape: Scrape = lambda accept: (ANSWER, "text/plain")
) -> Iterator[Address]:
    server = ScrapeServer.at_address(Address(host=host, port=0), scrape)
    try:
        yield server.address
    finally:
        server.close()


def test_one_path_answers_and_no_other() -> None:
    with serving() as address:
        found = requests.get(f"http://{address}/metrics?name=vumeter_watchers", timeout=10)
        assert (found.status_code, found.text) == (200, ANSWER)
        assert found.headers["Server"] == "vumeter"
        assert requests.head(f"http://{address}/metrics", timeout=10).text == ""
        for path in ("/", "/metrics/x", "/%2e%2e/metrics"):
            assert requests.get(f"http://{address}{path}", timeout=10).status_code == 404
        assert requests.post(f"http://{address}/metrics", timeout=10).status_code == 501


def test_an_error_is_500_and_says_nothing_of_itself() -> None:
    with serving(scrape=fail) as address:
        answer = requests.get(f"http://{address}/metrics", timeout=10)
    assert (answer.status_code, answer.text) == (500, "Error\n")


def test_idle_connections_do_not_pile_up_and_leave_room_again() -> None:
    with serving() as address, contextlib.ExitStack() as idle:
        opened = [
            idle.enter_context(socket.create_connection((address.host, address.port), timeout=10))
            for _ in range(MAX_CONNECTIONS)
        ]
        # One more is closed without an answer.
        with socket.create_connection((address.host, address.port), timeout=10) as refused:
            assert refused.recv(1) == b""
        opened[0].close()

        def answers() -> bool:
            connection = http.client.HTTPConnection(address.host, address.port, timeout=10)
            try:
                connection.request("GET", "/metrics")
                return connection.getresponse().status == 200
            except (OSError, http.client.HTTPException):
                return False
            finally:
                connection.close()

        until(answers)


def test_it_listens_on_ipv6_too() -> None:
    with serving("::1") as address:
        assert requests.get(f"http://{address}/metrics", timeout=10).status_code == 200


def test_a_taken_port_is_one_line_that_names_the_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError) as caught:
            show_on_port(load_settings(metrics_port=port), fail)
    assert str(caught.value).startswith(
        f"Own metrics (VUMETER_METRICS_PORT) cannot listen on 127.0.0.1:{port}: "
    )
