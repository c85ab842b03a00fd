"""What docs/scale.md says of one machine is what was measured: the rows of bench/RESULTS.md."""

from __future__ import annotations

import re

import pytest
from tests.documentation.pages import PAGES, ROOT

SAID = PAGES["docs/scale.md"]
MEASURED = (ROOT / "bench" / "RESULTS.md").read_text()
ROUNDED_BY = 0.05
ROWS = {
    "points/s, `StreamPoints`": ["gRPC, StreamPoints"],
    "points/s, `StreamColumns`": ["gRPC, StreamColumns"],
    "points/s, REST from 8 clients": ["REST"],
    "requests/s that ask for sums or a time series, REST from 8 clients": [
        "Q2 aggregate, 14 days, all metrics, 8 clients",
        "Q4 daily, 30 days, 3 metrics, Asia/Singapore, 8 clients",
        "Q5 timeseries of a counter, 7 days, step 1h, 8 clients",
    ],
    "the heaviest question: 90 days of 1 million points by two labels with a filter": [
        "Q9 aggregate, 90 days, one tag filter, groupBy two labels, 1 client"
    ],
    "disk a point, its share of rollups and indexes in it": ["disk a point, 1,000,000 points"],
}
"""The rows of the results that a row of the page is about; of several it has least and most."""


def figures_of(row: str, text: str) -> list[float]:
    """Return the numbers in the second cell of a row."""
    found = re.search(rf"^\| {re.escape(row)} \| ([^|]*) \|", text, re.MULTILINE)
    assert found, row
    return [float(each.replace(",", "")) for each in re.findall(r"[\d,.]*\d", found[1])]


@pytest.mark.parametrize("row", ROWS)
def test_what_one_machine_does_is_what_was_measured(row: str) -> None:
    measured = [figure for each in ROWS[row] for figure in figures_of(each, MEASURED)]
    said = figures_of(row, SAID)
    assert [said[0], said[-1]] == pytest.approx([min(measured), max(measured)], rel=ROUNDED_BY)
