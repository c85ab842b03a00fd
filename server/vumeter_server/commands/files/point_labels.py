"""The label sets of an export as numbers: each is read once, however often it comes."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from vumeter_server.commands.files.known import Known
from vumeter_server.custom_metrics import wire

Numbers = npt.NDArray[np.integer]

# What is kept of the label sets of one row group for the next, in about bytes.
MAX_BYTES: Final = 50_000_000
# What the numbers and objects of a label set take beside its bytes.
_OVERHEAD_BYTES: Final = 300


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Tags:
    """The tags of some points: those of point i are [offsets[i], offsets[i + 1])."""

    offsets: Numbers
    keys: Numbers
    values: Numbers


class LabelNumbers:
    """Numbers label sets, and the texts in them; used by one thread at a time.

    Attributes:
        agents, environments, keys, values: texts by their numbers, in order. An empty id has -1.
    """

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self.agents: dict[str, int] = {}
        self.environments: dict[str, int] = {}
        self.keys: dict[str, int] = {}
        self.values: dict[str, int] = {}
        self._label_sets = Known(self._add_label_set)
        # By entry of a label set, the key and the number of the tag.
        self._tags = Known(self._add_tag)
        # By label set; its tags are [first[i], first[i + 1]) of `tag_numbers`.
        self._agent, self._environment, self._first = array("i"), array("i"), array("i", [0])
        self._tag_numbers = array("i")
        # By tag.
        self._tag_keys, self._tag_values = array("i"), array("i")
        self._bytes = 0

    def make_room(self) -> None:
        """Forget everything if it is too much; numbers that were given are then void."""
        if self._bytes > MAX_BYTES:
            self._forget()

    def number(self, label_sets: Sequence[bytes]) -> Numbers:
        """Return the numbers of label sets, as messages of `wire` have them."""
        found = map(self._label_sets.__getitem__, label_sets)
        return np.fromiter(found, np.int32, len(label_sets))

    def _add_label_set(self, label_set: bytes) -> int:
        agent_id, environment_id, *entries = wire.split_label_set(label_set)
        self._agent.append(_numbered(self.agents, agent_id))
        self._environment.append(_numbered(self.environments, environment_id))
        tags = sorted(map(self._tags.__getitem__, entries))
        self._tag_numbers.extend([number for _, number in tags])
        self._first.append(len(self._tag_numbers))
        self._bytes += len(label_set) + _OVERHEAD_BYTES
        return len(self._agent) - 1

    def _add_tag(self, entry: bytes) -> tuple[str, int]:
        key, value = wire.read_tag(entry)
        self._tag_keys.append(self.keys.setdefault(key, len(self.keys)))
        self._tag_values.append(self.values.setdefault(value, len(self.values)))
        return key, len(self._tag_keys) - 1

    def agents_of(self, numbers: Numbers) -> Numbers:
        """Return the numbers of the agents of label sets."""
        return _view(self._agent)[numbers]

    def environments_of(self, numbers: Numbers) -> Numbers:
        """Return the numbers of the environments of label sets."""
        return _view(self._environment)[numbers]

    def tags_of(self, numbers: Numbers) -> Tags:
        """Return the tags of label sets, those of each by key."""
        first = _view(self._first)
        starts = first[numbers]
        counts = first[numbers + 1] - starts
        offsets = np.zeros(len(numbers) + 1, np.int32)
        np.cumsum(counts, out=offsets[1:])
        places = np.arange(offsets[-1], dtype=np.int32)
        places += np.repeat(starts - offsets[:-1], counts)
        tags = _view(self._tag_numbers)[places]
        return Tags(
            offsets=offsets,
            keys=_view(self._tag_keys)[tags],
            values=_view(self._tag_values)[tags],
        )


def _numbered(texts: dict[str, int], text: str) -> int:
    return texts.setdefault(text, len(texts)) if text else -1


def _view(numbers: array[int]) -> Numbers:
    """Return an array for as long as nothing is appended."""
    return np.frombuffer(numbers, np.int32) if numbers else np.empty(0, np.int32)
