"""The port answers what ClickHouse does, stores a block once, and says what its errors mean."""

from __future__ import annotations

import asyncio
import contextlib

import pyarrow as pa
import pytest

from vumeter_server.clickhouse import ClickHouse, ClickHouseError
from vumeter_server.clickhouse.layout import Column
from vumeter_server.errors import DeadlineExceeded, Unavailable

TEXTS = ["", "ä", "a'b\"c\\d", "\0\t\n", "😀"]
INTEGERS = [0, -1, 2**63 - 1, -(2**63), 5]
NUMBERS = [0.1, -1e-12, 1e15, 5e-324, 1.7976931348623157e308]
ROWS = pa.table(
    {
        "shard": pa.array([7] * 5, pa.int64()),
        "text": pa.array(TEXTS).dictionary_encode(),
        "whole": pa.array(INTEGERS, pa.int64()),
        "number": pa.array(NUMBERS, pa.float64()),
        "labels": pa.array([[(text, text)] for text in TEXTS], pa.map_(pa.string(), pa.string())),
        "nothing": pa.array([None, "", "a", None, "b"], pa.string()),
    }
)
COLUMNS = [
    Column(name="shard", type="Int64"),
    Column(name="text", type="LowCardinality(String)"),
    Column(name="whole", type="Int64"),
    Column(name="number", type="Float64"),
    Column(name="labels", type="Map(LowCardinality(String), LowCardinality(String))"),
    Column(name="nothing", type="Nullable(String)"),
]
NAMES = ", ".join(ROWS.column_names)


@pytest.fixture
async def table(clickhouse: ClickHouse) -> str:
    """A table with every type that the stores use."""
    for node in clickhouse.nodes:
        for statement in clickhouse.layout.create_table(
            "things", COLUMNS, order_by="whole", shard_by="shard"
        ):
            await node.command(statement)
    return "things"


async def rows_of(clickhouse: ClickHouse, table: str) -> list[dict[str, object]]:
    found = await clickhouse.query(
        f"SELECT {NAMES} FROM {clickhouse.layout.reads(table)} ORDER BY recorded_us, whole"
    )
    return list(found.to_pylist())


async def test_what_is_inserted_is_answered(clickhouse: ClickHouse, table: str) -> None:
    await clickhouse.insert(clickhouse.layout.writes(table), ROWS, token="a")
    assert await rows_of(clickhouse, table) == ROWS.sort_by("whole").to_pylist()


async def test_a_block_is_stored_once_for_its_token(clickhouse: ClickHouse, table: str) -> None:
    into = clickhouse.layout.writes(table)
    await clickhouse.insert(into, ROWS, token="a")
    await clickhouse.insert(into, ROWS.slice(0, 1), token="a")
    await clickhouse.insert(into, ROWS.slice(1, 1), token="b")
    assert len(await rows_of(clickhouse, table)) == 6


async def test_parameters_are_values_and_nothing_else(clickhouse: ClickHouse) -> None:
    found = await clickhouse.query(
        "SELECT {texts:Array(String)} AS texts, {text:String} AS text,"
        " {wholes:Array(Int64)} AS wholes, {number:Float64} AS number,"
        " toInt128({whole:Int64}) * 4 AS large",
        {
            "texts": TEXTS,
            "text": "".join(TEXTS),
            "wholes": INTEGERS,
            "number": 1e-12,
            "whole": 2**63 - 1,
        },
    )
    (row,) = found.to_pylist()
    assert int.from_bytes(row.pop("large"), "little", signed=True) == (2**63 - 1) * 4
    assert row == {
        "texts": TEXTS,
        "text": "".join(TEXTS),
        "wholes": INTEGERS,
        "number": 1e-12,
    }


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT throwIf(1)", 395),
        ("SELECT throwIf(number = 9999999) FROM system.numbers LIMIT 10000000", 395),
        (
            "SELECT number FROM numbers(9) GROUP BY number"
            " SETTINGS max_rows_to_group_by = 2, group_by_overflow_mode = 'throw'",
            158,
        ),
        ("SELECT (1", 62),
    ],
)
async def test_an_error_has_its_code_and_the_next_answer_is_whole(
    clickhouse: ClickHouse, sql: str, code: int
) -> None:
    with pytest.raises(ClickHouseError) as caught:
        await clickhouse.query(sql)
    assert caught.value.code == code
    assert (await clickhouse.query("SELECT 1 AS one")).to_pylist() == [{"one": 1}]


async def test_a_table_of_a_later_version_is_unavailable(clickhouse: ClickHouse) -> None:
    with pytest.raises(Unavailable):
        await clickhouse.query(f"SELECT 1 FROM {clickhouse.layout.local('of_tomorrow')}")
    with pytest.raises(Unavailable):
        await clickhouse.query(f"SELECT tomorrow FROM {clickhouse.layout.reads('schema_versions')}")


async def test_a_query_ends_at_its_time_limit(clickhouse: ClickHouse) -> None:
    with pytest.raises(DeadlineExceeded):
        await clickhouse.query("SELECT sum(sipHash64(number)) FROM system.numbers", seconds=1)


async def test_an_empty_block_is_a_defect(clickhouse: ClickHouse, table: str) -> None:
    with pytest.raises(ValueError, match="an empty block"):
        await clickhouse.insert(clickhouse.layout.writes(table), ROWS.slice(0, 0), token="a")


async def test_many_calls_run_at_once_and_some_are_cancelled(clickhouse: ClickHouse) -> None:
    async def ask(number: int) -> int:
        found = await clickhouse.query("SELECT {number:Int64} AS number", {"number": number})
        return int(found.column("number")[0].as_py())

    asked = [asyncio.ensure_future(ask(number)) for number in range(100)]
    await asyncio.sleep(0)
    for each in asked[::3]:
        each.cancel()
    for number, each in enumerate(asked):
        with contextlib.suppress(asyncio.CancelledError):
            assert await each == number
