"""Load over HTTP/1.1: closed loops of some clients that vary what they ask from request to request.

wrk (Debian's package) sends it, since a client that takes much of the processor itself would hide
what the server costs: on two cores wrk takes about a tenth of one. Without it a client in Python
does, which makes every rate lower and ratios to the empty RPC look better than they are.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
import statistics
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_SCRIPT = """
local paths = {%(paths)s}
local bodies = {%(bodies)s}
local next = %(offset)d
local requests = {}
init = function()
  for number, path in ipairs(paths) do
    if #bodies > 0 then
      local file = io.open(bodies[number], "rb")
      requests[number] = wrk.format("POST", path, nil, file:read("*a"))
      file:close()
    else
      requests[number] = wrk.format("GET", path)
    end
  end
end
request = function()
  next = next %% #requests + 1
  return requests[next]
end
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format("\\nresult {\\"requests\\": %%d, \\"seconds\\": %%f, " ..
    "\\"failed\\": %%d, \\"p50_ms\\": %%f, \\"p99_ms\\": %%f}\\n",
    summary.requests, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """What came of some load."""

    rate: float
    """Answers a second."""
    requests: int
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, kw_only=True)
class Target:
    """Requests to send in turns: GET, or POST where there are files with bodies."""

    base_url: str
    headers: Mapping[str, str]
    paths: Sequence[str]
    bodies: Sequence[Path] = ()

    def send(self, directory: Path, *, clients: int, seconds: int, offset: int = 0) -> Sent:
        """Send for so long; raises RuntimeError if any answer was not a 2xx.

        `offset` is the number of the request to begin with.
        """
        if shutil.which("wrk") is None:
            return asyncio.run(self._send_slowly(clients, seconds, offset))
        # Several loads may be sent at once.
        script = directory / f"{uuid.uuid4().hex}.lua"
        script.write_text(
            _SCRIPT
            % {
                "paths": ",".join(f"[=[{path}]=]" for path in self.paths),
                "bodies": ",".join(f"[=[{body}]=]" for body in self.bodies),
                "offset": offset % len(self.paths),
            }
        )
        done = subprocess.run(
            [
                *("wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "30s"),
                *(
                    option
                    for name, value in self.headers.items()
                    for option in _header(name, value)
                ),
                *("-s", str(script), self.base_url),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        for line in done.stdout.splitlines():
            if line.startswith("result "):
                return _sent(json.loads(line.removeprefix("result ")))
        raise RuntimeError(done.stdout)

    async def _send_slowly(self, clients: int, seconds: int, offset: int) -> Sent:
        url = urlsplit(self.base_url)
        # Certificates are not verified, as wrk does not.
        tls = None
        if url.scheme == "https":
            tls = ssl.create_default_context()
            tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        head = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        bodies = [body.read_bytes() for body in self.bodies] or [b""] * len(self.paths)
        method = "POST" if self.bodies else "GET"
        requests = [
            f"{method} {path} HTTP/1.1\r\nHost: {url.hostname}\r\n{head}"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
            for path, body in zip(self.paths, bodies, strict=True)
        ]
        times: list[float] = []
        started = time.perf_counter()

        async def client(number: int) -> int:
            reader, writer = await asyncio.open_connection(url.hostname, url.port, ssl=tls)
            failed = 0
            while (began := time.perf_counter()) < started + seconds:
                writer.write(requests[number % len(requests)])
                number += clients
                failed += not await _read_answer(reader)
                times.append(time.perf_counter() - began)
            writer.close()
            return failed

        failed = sum(await asyncio.gather(*(client(offset + each) for each in range(clients))))
        ordered = sorted(times)
        return _sent(
            {
                "requests": len(times),
                "seconds": time.perf_counter() - started,
                "failed": failed,
                "p50_ms": statistics.median(ordered) * 1_000,
                "p99_ms": ordered[int(len(ordered) * 0.99)] * 1_000,
            }
        )


def sender() -> str:
    """Return what sends the load."""
    if shutil.which("wrk") is None:
        return "load from a client in Python: wrk is not installed, ratios flatter"
    return "load from wrk, one thread"


def _header(name: str, value: str) -> tuple[str, str]:
    return ("-H", f"{name}: {value}")


def _sent(result: Mapping[str, float]) -> Sent:
    if result["failed"]:
        raise RuntimeError(f"{result['failed']:.0f} of {result['requests']:.0f} requests failed")
    return Sent(
        # Who has answered nothing yet is taken for about to.
        rate=max(result["requests"], 1) / result["seconds"],
        requests=int(result["requests"]),
        p50_ms=result["p50_ms"],
        p99_ms=result["p99_ms"],
    )


async def _read_answer(reader: asyncio.StreamReader) -> bool:
    """Read one answer; return whether it is a 2xx."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    for line in head.split(b"\r\n"):
        if line.startswith(b"content-length:"):
            await reader.readexactly(int(line.partition(b":")[2]))
            break
    else:
        while size := int((await reader.readline()).strip() or b"0", 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    return head.split()[1].startswith(b"2")
