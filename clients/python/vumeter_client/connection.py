"""One HTTP connection to the server, kept open between calls."""

from __future__ import annotations

import gzip
import http.client
from collections.abc import Mapping
from dataclasses import dataclass

from vumeter_client.errors import ConnectionFailed
from vumeter_client.settings import Endpoint

USER_AGENT = "vumeter-client/0.1.0"
COMPRESSED_FROM_BYTES = 1_024


@dataclass(frozen=True)
class Answer:
    """What came back; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """A connection that is opened when it is needed, and again when it broke.

    Not for several threads at once.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        """Remember where to connect to."""
        self._endpoint = endpoint
        self._open: http.client.HTTPConnection | None = None

    def post(self, path: str, body: bytes, timeout: float, accept: str) -> Answer:
        """Send JSON and return the answer, whatever its status.

        The request may arrive twice, so that it has to be harmless to repeat.

        Raises:
            ConnectionFailed: No answer came in `timeout` seconds, or the connection broke.
        """
        headers = {
            "Accept": accept,
            "Authorization": f"Bearer {self._endpoint.key}",
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
        }
        if len(body) >= COMPRESSED_FROM_BYTES:
            headers["Content-Encoding"] = "gzip"
            body = gzip.compress(body, compresslevel=5, mtime=0)
        reused = self._open is not None
        try:
            return self._exchange(path, body, headers, timeout)
        except TimeoutError as error:
            raise ConnectionFailed("no answer in time") from error
        except (OSError, http.client.HTTPException) as error:
            if not reused:
                raise ConnectionFailed(_reason(error)) from error
        # The other side may have closed the idle connection meanwhile: that is no failure yet.
        try:
            return self._exchange(path, body, headers, timeout)
        except (OSError, http.client.HTTPException) as error:
            raise ConnectionFailed(_reason(error)) from error

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _exchange(
        self, path: str, body: bytes, headers: Mapping[str, str], timeout: float
    ) -> Answer:
        connection = self._connect(timeout)
        try:
            connection.request("POST", self._endpoint.path + path, body, dict(headers))
            response = connection.getresponse()
            answer = Answer(
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                response.read(),
            )
        except BaseException:
            self.close()
            raise
        if response.will_close:
            self.close()
        return answer

    def _connect(self, timeout: float) -> http.client.HTTPConnection:
        if self._open is None:
            host, port, tls = self._endpoint.host, self._endpoint.port, self._endpoint.tls
            if tls is None:
                self._open = http.client.HTTPConnection(host, port, timeout=timeout)
            else:
                self._open = http.client.HTTPSConnection(host, port, timeout=timeout, context=tls)
        self._open.timeout = timeout
        if self._open.sock is not None:
            self._open.sock.settimeout(timeout)
        return self._open


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
