"""Demo data: which was loaded, and whose turn it is to load or play it."""

from __future__ import annotations

from vumeter_server.clickhouse.layout import Column, Layout


def statements(layout: Layout) -> list[str]:
    """Return what makes the tables.

    Both hold logs (`entry_log`): `demo_data` one for each family, which gets two entries when data
    is loaded, `demo_turns` one for each turn. A turn gets an entry every few seconds; those with
    one `slot` replace each other, so that the last ones stay.
    """
    return [
        *layout.create_table(
            "demo_data",
            [
                Column(name="family", type="String"),
                Column(name="seq", type="Int64"),
                Column(name="entry", type="Int64"),
                Column(name="begun_us", type="Int64"),
                Column(name="finished_us", type="Nullable(Int64)"),
                Column(name="from_us", type="Nullable(Int64)"),
            ],
            order_by="(family, seq)",
            shard_by="family",
        ),
        *layout.create_table(
            "demo_turns",
            [
                Column(name="turn", type="String"),
                Column(name="slot", type="Int64"),
                Column(name="seq", type="Int64"),
                Column(name="entry", type="Int64"),
                Column(name="process", type="String"),
            ],
            order_by="(turn, slot)",
            shard_by="turn",
            merging="Replacing(seq)",
        ),
    ]
