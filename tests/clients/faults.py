"""A network that fails: it forwards to the product, and does to each request what is asked."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

Fault = Callable[["Handler", bytes], None]
SHUTTING_DOWN = json.dumps({"code": 14, "message": "Service unavailable", "details": []}).encode()


@dataclass
class Network:
    """Between a client and the product."""

    upstream: str
    faults: list[Fault] = field(default_factory=list)
    """What happens to the next requests; then all of them are forwarded."""
    seen: list[Any] = field(default_factory=list)
    """The bodies of all requests, as JSON."""
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_fault(self) -> Fault:
        with self.lock:
            return self.faults.pop(0) if self.faults else forward


class Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        network = self.server.network
        plain = gzip.decompress(body) if self.headers["content-encoding"] == "gzip" else body
        with network.lock:
            network.seen.append(json.loads(plain))
        network.next_fault()(self, body)

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Return what the product answers to this request."""
        upstream = urlsplit(self.server.network.upstream)
        assert upstream.hostname
        connection = http.client.HTTPConnection(upstream.hostname, upstream.port, timeout=30)
        sent = ("accept", "authorization", "content-type", "content-encoding")
        headers = {name: self.headers[name] for name in sent if name in self.headers}
        try:
            connection.request("POST", self.path, body, headers)
            response = connection.getresponse()
            kept = ("content-type", "retry-after", "x-request-id")
            answered = {name: response.headers[name] for name in kept if name in response.headers}
            return response.status, answered, response.read()
        finally:
            connection.close()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Gives its handlers the network."""

    daemon_threads = True
    network: Network

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that went away is what tests do."""


def forward(handler: Handler, body: bytes) -> None:
    handler.answer(*handler.ask(body))


def lose_the_answer(handler: Handler, body: bytes) -> None:
    """The product stores the points, and the connection breaks before its answer."""
    handler.ask(body)
    handler.close_connection = True
    handler.connection.close()


def lose_the_request(handler: Handler, body: bytes) -> None:
    handler.close_connection = True
    handler.connection.close()


def answering(status: int, body: bytes = b"", **headers: str) -> Fault:
    """Somebody on the way answers in place of the product."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler, _: handler.answer(status, named, body)


def held(gate: threading.Event) -> Fault:
    """The request waits until the gate opens; then it goes on."""

    def hold(handler: Handler, body: bytes) -> None:
        gate.wait(30)
        forward(handler, body)

    return hold


@contextlib.contextmanager
def network_to(
    upstream: str, *faults: Fault, tls: ssl.SSLContext | None = None
) -> Iterator[Network]:
    """Run a network in front of a product, with `tls` as a proxy that ends TLS."""
    network = Network(upstream=upstream, faults=list(faults))
    with Server(("127.0.0.1", 0), Handler) as server:
        server.network = network
        network.url = f"http://127.0.0.1:{server.server_port}"
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
            network.url = f"https://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield network
        finally:
            server.shutdown()
            thread.join()
