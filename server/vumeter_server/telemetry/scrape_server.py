"""`GET /metrics`, answered by threads of its own: a scrape never holds up the event loop."""

from __future__ import annotations

import http.client
import socket
import socketserver
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final

import structlog

from vumeter_server.runtime.addresses import Address
from vumeter_server.telemetry.exposition import Source

_log = structlog.get_logger(__name__)

PATH: Final = "/metrics"
MAX_CONNECTIONS: Final = 16
SLOWEST_SECONDS: Final = 10.0
"""How long a connection may be silent before it is closed."""
WORKER_SECONDS: Final = 2.0
"""How long a server process may take before it is shown as down."""

Scrape = Callable[[str], tuple[str, str]]
"""Takes an Accept header; returns the text and its content type."""


class _Handler(BaseHTTPRequestHandler):
    timeout = SLOWEST_SECONDS
    server: _Threaded

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        if self.path.partition("?")[0] != PATH:
            status, body, content_type = HTTPStatus.NOT_FOUND, "Not found: see /metrics\n", _TEXT
        else:
            try:
                body, content_type = self.server.scrape(self.headers.get("Accept", ""))
                status = HTTPStatus.OK
            except Exception:
                _log.exception("scrape_failed")
                status, body, content_type = HTTPStatus.INTERNAL_SERVER_ERROR, "Error\n", _TEXT
        content = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if with_body:
            self.wfile.write(content)

    def version_string(self) -> str:
        return "vumeter"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base
        _log.debug("scrape", request=format % args)


_TEXT = "text/plain; charset=utf-8"


class _Threaded(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    scrape: Scrape

    def __init__(self, address: Any, family: socket.AddressFamily, scrape: Scrape) -> None:
        self.address_family = family
        self.scrape = scrape
        self._free = threading.BoundedSemaphore(MAX_CONNECTIONS)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread; what is beyond the limit is closed at once."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a scraper that went away."""
        _log.debug("scrape_broken", exc_info=True)


class ScrapeServer:
    """Listens for scrapes until it is closed."""

    def __init__(self, server: _Threaded) -> None:
        self._server = server
        self._thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.2}, name="vumeter-metrics"
        )
        self._thread.daemon = True
        self._thread.start()

    @classmethod
    def at_address(cls, address: Address, scrape: Scrape) -> ScrapeServer:
        """Listen on a port, 0 for any; raises OSError if it is taken."""
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        return cls(_Threaded((address.host, address.port), family, scrape))

    @classmethod
    def at_socket(cls, path: Path, scrape: Scrape) -> ScrapeServer:
        """Listen on a socket in the file system."""
        return cls(_Threaded(str(path), socket.AF_UNIX, scrape))

    @property
    def address(self) -> Address:
        """Where it listens, with the port that the system chose."""
        host, port = self._server.server_address[:2]
        return Address(host=str(host), port=int(port))

    def close(self) -> None:
        """Stop to listen; scrapes under way end with the process."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=WORKER_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def at_socket(path: Path) -> Source:
    """Return a source that asks the process which listens on `path`."""

    def ask(accept: str) -> str:
        connection = _UnixConnection(path)
        try:
            connection.request("GET", PATH, headers={"Accept": accept})
            response = connection.getresponse()
            body = response.read()
        except http.client.HTTPException as error:
            raise OSError(str(error)) from None
        finally:
            connection.close()
        if response.status != HTTPStatus.OK:
            raise OSError(f"status {response.status}")
        return body.decode()

    return ask
