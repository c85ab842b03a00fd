"""The text of a scrape: of this process, or of all processes of one start together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from vumeter_server.telemetry.encoding import EOF, encode

_log = structlog.get_logger(__name__)

UP: Final = "vumeter_worker_up"
UP_HELP: Final = "1 if the server process answered this scrape, otherwise 0."

Source = Callable[[str], str]
"""Takes an Accept header and returns the text of one process; raises OSError if it is silent."""


def is_openmetrics(accept: str) -> bool:
    """Whether a scraper that accepts this gets OpenMetrics."""
    return choose_encoder(accept)[1].startswith("application/openmetrics-text")


class ProcessExposition:
    """The metrics of this process: those of a registry, and text that others write."""

    def __init__(
        self, registry: CollectorRegistry, more: Sequence[Callable[[bool], str]] = ()
    ) -> None:
        """Take the registry, and what writes more; its argument is whether to write OpenMetrics."""
        self._registry = registry
        self._more = more

    def __call__(self, accept: str) -> str:
        """Return what a scraper gets that sends this Accept header."""
        openmetrics = is_openmetrics(accept)
        text = encode(self._registry, openmetrics=openmetrics)
        more = "".join(write(openmetrics) for write in self._more)
        if not openmetrics:
            return text + more
        return text.removesuffix(EOF) + more + EOF


class Gathering:
    """The metrics of all server processes of one start; by number, the one that writes is 1."""

    def __init__(self, sources: Mapping[int, Source]) -> None:
        self._sources = sources
        self._asking = (
            ThreadPoolExecutor(len(sources), "vumeter-scrape") if len(sources) > 1 else None
        )

    def scrape(self, accept: str) -> tuple[str, str]:
        """Return the text and its content type; a process that does not answer is shown as down."""
        _, content_type = choose_encoder(accept)
        ask = self._asking.map if self._asking is not None else map
        found = dict(
            zip(
                self._sources,
                ask(lambda number: self._ask(number, accept), self._sources),
                strict=True,
            )
        )
        text = _merged([each for each in found.values() if each is not None])
        text += f"# HELP {UP} {UP_HELP}\n# TYPE {UP} gauge\n"
        text += "".join(
            f'{UP}{{worker="{number}"}} {float(each is not None)}\n'
            for number, each in found.items()
        )
        return text + (EOF if is_openmetrics(accept) else ""), content_type

    def close(self) -> None:
        """End the threads that ask."""
        if self._asking is not None:
            self._asking.shutdown(wait=False)

    def _ask(self, number: int, accept: str) -> str | None:
        try:
            return self._sources[number](accept)
        except OSError as error:
            _log.warning("worker_not_scraped", worker=number, error=str(error))
            return None


def _merged(texts: list[str]) -> str:
    """Put the series of a metric together, as the format asks, and leave `# EOF` out."""
    if len(texts) == 1:
        return texts[0].removesuffix(EOF)
    heads: dict[str, str] = {}
    samples: dict[str, list[str]] = {}
    for text in texts:
        # No sample begins so: line feeds in values of labels are escaped.
        for block in ("\n" + text.removesuffix(EOF)).split("\n# HELP ")[1:]:
            name = block[: block.index(" ")]
            end = block.index("\n")
            while block.startswith("# ", end + 1):
                end = block.find("\n", end + 1) if "\n" in block[end + 1 :] else len(block)
            heads.setdefault(name, f"# HELP {block[:end]}\n")
            if rest := block[end + 1 :].removesuffix("\n"):
                samples.setdefault(name, []).append(rest + "\n")
    return "".join(head + "".join(samples.get(name, ())) for name, head in heads.items())
