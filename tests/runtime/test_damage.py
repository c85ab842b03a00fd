"""Where damage was met is told by table, and never by what callers have recorded."""

from __future__ import annotations

import pytest

from vumeter_server.runtime.damage import Damage, tables_of


def test_tables_stay_once_damage_was_met_there() -> None:
    damage = Damage()
    assert (damage.is_met, damage.tables, damage.by_table()) == (False, [], 0)
    damage.note(["series", "labels"])
    damage.note(["labels"])
    assert (damage.is_met, damage.tables) == (True, ["labels", "series"])
    assert damage.by_table() == {"labels": 1, "series": 1}


def test_damage_outside_of_any_statement_is_told_as_such() -> None:
    damage = Damage()
    damage.note()
    assert damage.by_table() == {"unknown": 1}


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("SELECT 1", []),
        ("SELECT a FROM series JOIN labels USING (code)", ["labels", "series"]),
        ("insert into metric_batches values (1)", ["metric_batches"]),
        ("UPDATE server_clock SET seen_us = 1", ["server_clock"]),
        ("SELECT a FROM vumeter.metric_points WHERE b = 1", ["metric_points"]),
        ("ALTER TABLE vumeter.metric_points_local DELETE WHERE a = 1", ["metric_points_local"]),
        ("SELECT a FROM (SELECT b FROM calls)", ["calls"]),
        ("SELECT a FROM labels WHERE value = 'it''s FROM acme' AND b = 1", ["labels"]),
    ],
)
def test_the_tables_of_a_statement(sql: str, tables: list[str]) -> None:
    assert tables_of(sql) == tables
