"""How the last values of exported series lie in a blob: behind its header, see `series_states`."""

from __future__ import annotations

from vumeter_server.custom_metrics.increments import SeriesStates
from vumeter_server.custom_metrics.series_states import read_states, write_states
from vumeter_server.sqlite.blobs import Holds, checked_content_of, damaged, with_header


def encode_states(states: SeriesStates) -> bytes:
    """Write the states of the series of one metric and exporter."""
    return with_header(Holds.SERIES_STATES, write_states(states))


def decode_states(blob: bytes) -> SeriesStates:
    """Read what `encode_states` wrote; raises StorageDamaged if it is not as it was written."""
    content = checked_content_of(Holds.SERIES_STATES, blob)
    if content is None:
        raise damaged(Holds.SERIES_STATES, "it has no header")
    try:
        return read_states(content)
    except ValueError:
        raise damaged(Holds.SERIES_STATES, "its length does not fit") from None
