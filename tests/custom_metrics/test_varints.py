"""Packed varints of arrays are those of protobuf."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vumeter.custom_metrics.v1 import custom_metrics_pb2 as pb
from vumeter_server.custom_metrics import varints

EDGES = [0, *(2**bits + more for bits in range(1, 56) for more in (-1, 0)), varints.END - 1]
# Numbers of one length, and numbers of several.
NUMBERS = st.one_of(
    st.lists(st.integers(0, 127)),
    st.lists(st.integers(2**49, 2**56 - 1)),
    st.lists(st.integers(0, 2**14 - 1) | st.sampled_from(EDGES)),
)


def packed(numbers: list[int]) -> bytes:
    """Return what protobuf writes, without the tag of the field and its length."""
    columns = pb.PointColumns(times_us=numbers).SerializeToString()
    length = 0 if not numbers else next(at for at in range(1, 6) if columns[at] < 128)
    return columns[length + 1 :]


@given(NUMBERS)
def test_arrays_are_written_and_read_as_protobuf_does(numbers: list[int]) -> None:
    data = varints.encode(np.array(numbers, np.int64))
    assert data == packed(numbers)
    assert varints.decode(data).tolist() == numbers


def test_all_lengths_stand_beside_each_other() -> None:
    assert varints.decode(varints.encode(np.array(EDGES))).tolist() == EDGES
    assert varints.encode(np.array(EDGES)) == packed(EDGES)


@pytest.mark.parametrize("number", [-1, varints.END])
def test_a_number_that_does_not_fit_is_rejected(number: int) -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        varints.encode(np.array([1, number]))


@pytest.mark.parametrize(
    "spoiled", [lambda data: data[:-1], lambda data: b"\x80" + data, lambda data: b"\x80"]
)
def test_what_is_cut_off_or_too_long_is_rejected(spoiled: Callable[[bytes], bytes]) -> None:
    with pytest.raises(ValueError, match="no varints"):
        varints.decode(spoiled(varints.encode(np.array([varints.END - 1]))))
