"""What goes wrong with ClickHouse itself: disks, merges, damaged parts, mutations, replicas.

The tables that are asked are described in ClickHouse's documentation, under "System tables".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from vumeter_server.commands.diagnosis.finding import Finding, problem, size_text, warning
from vumeter_server.commands.diagnosis.node_reports import (
    NodeQuery,
    NodeReport,
    Rows,
    Unread,
    unread,
)
from vumeter_server.runtime.store_address import ClickHouseAddress

PARTS_SHARE_AT_MOST: Final = 0.8
"""Of the number at which inserts are delayed, or rejected."""
LAGS_AT_MOST_SECONDS: Final = 60
MUTATES_FOR_AT_MOST_SECONDS: Final = 3_600
MAX_REASON: Final = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeCheck:
    """A statement, and what a node's answer means."""

    statement: NodeQuery
    judge: Callable[[Rows], Finding]

    def found(self, report: NodeReport) -> Finding:
        """Return what is found of a node that answers."""
        rows = report.rows[self.statement.name]
        return unread(self.statement.name, rows) if isinstance(rows, Unread) else self.judge(rows)


def table_checks(address: ClickHouseAddress) -> list[NodeCheck]:
    """Return what is asked of each node, for the engine of a store."""
    is_replicated = address.engine == "ReplicatedMergeTree"
    checks = [_disk_room(), _parts(is_replicated), _detached_parts(is_replicated), _mutations()]
    return [*checks, _replicas()] if is_replicated else checks


def _disk_room() -> NodeCheck:
    name = "disk room"
    # Not at the top: see `cluster_checks.check_cluster`.
    from vumeter_server.clickhouse.layout import ROOM_KEPT  # noqa: PLC0415

    def room(disk: Mapping[str, Any]) -> int:
        return max(0, int(disk["free_space"]) - int(disk["keep_free_space"]))

    def judge(rows: Rows) -> Finding:
        if not rows:
            return Finding(check=name, found="not on local disks")
        broken = [disk["name"] for disk in rows if disk["is_broken"]]
        if broken:
            return problem(name, f"disk {broken[0]} is broken", "replace it, restore the backup")
        disk = min(rows, key=room)
        found = f"disk {disk['name']} has {size_text(room(disk))} free"
        if room(disk) < ROOM_KEPT:
            advice = f"free space: with less than {size_text(ROOM_KEPT)} recordings are 503"
            return problem(name, found, advice)
        if room(disk) < ROOM_KEPT * 2:
            return warning(name, found, "free space: merges need it")
        for each in rows:
            if room(each) < each["largest_bytes"]:
                return warning(
                    name,
                    f"disk {each['name']} has {size_text(room(each))} free, its largest table"
                    f" {size_text(each['largest_bytes'])}",
                    "free space: a merge of that table may not fit in",
                )
        return Finding(check=name, found=found)

    sql = """
        SELECT name, free_space, keep_free_space, is_broken, largest_bytes FROM system.disks
        LEFT JOIN (
            SELECT disk_name, max(table_bytes) AS largest_bytes FROM (
                SELECT disk_name, table, sum(bytes_on_disk) AS table_bytes FROM system.parts
                WHERE active AND database = {database:String} GROUP BY disk_name, table
            ) GROUP BY disk_name
        ) AS used ON used.disk_name = name
        WHERE NOT is_remote AND NOT is_read_only"""
    return NodeCheck(statement=NodeQuery(name=name, sql=sql), judge=judge)


def _parts(is_replicated: bool) -> NodeCheck:
    name = "parts"

    def judge(rows: Rows) -> Finding:
        (row,) = rows
        parts, table = row["most"], row["its_table"]
        if not parts:
            return Finding(check=name, found="none")
        found = f"{parts} in {table}, inserts are delayed from {row['delayed']}"
        advice = (
            "merges do not keep up: look at system.merges and at the node's disk and cores; record"
            " in fewer, larger batches"
        )
        if parts >= row["rejected"] * PARTS_SHARE_AT_MOST:
            found = f"{parts} in {table}, inserts are rejected from {row['rejected']}"
            return problem(name, found, advice)
        if parts >= row["delayed"] * PARTS_SHARE_AT_MOST:
            return warning(name, found, advice)
        return Finding(check=name, found=found)

    settings = f"system.{'replicated_' if is_replicated else ''}merge_tree_settings"
    sql = f"""
        SELECT max(parts) AS most, argMax(table, parts) AS its_table,
            (SELECT toUInt64(any(value)) FROM {settings} WHERE name = 'parts_to_delay_insert')
                AS delayed,
            (SELECT toUInt64(any(value)) FROM {settings} WHERE name = 'parts_to_throw_insert')
                AS rejected
        FROM (
            SELECT table, count() AS parts FROM system.parts
            WHERE active AND database = {{database:String}} GROUP BY table, partition_id
        )"""  # noqa: S608 - one of two names
    return NodeCheck(statement=NodeQuery(name=name, sql=sql), judge=judge)


def _detached_parts(is_replicated: bool) -> NodeCheck:
    name = "damaged parts"

    def judge(rows: Rows) -> Finding:
        if not rows:
            return Finding(check=name, found="none")
        found = ", ".join(f"{row['parts']} of {row['table']}" for row in rows)
        if is_replicated:
            return warning(
                name,
                f"{found} set aside",
                "the replica fetched them again; look at its disk, then drop what is detached",
            )
        return problem(
            name,
            f"{found} set aside: what they hold is missing in answers",
            "look at the node's disk; restore these tables from the backup",
        )

    sql = """
        SELECT table, count() AS parts FROM system.detached_parts
        WHERE database = {database:String} AND reason LIKE '%broken%'
        GROUP BY table ORDER BY table"""
    return NodeCheck(statement=NodeQuery(name=name, sql=sql), judge=judge)


def _mutations() -> NodeCheck:
    name = "mutations"

    def judge(rows: Rows) -> Finding:
        if not rows:
            return Finding(check=name, found="none fails")
        row = rows[0]
        more = f"; {len(rows) - 1} more" if len(rows) > 1 else ""
        place = f"{row['mutation_id']} of {row['table']}"
        if row["reason"]:
            reason = " ".join(row["reason"].split())[:MAX_REASON]
            return problem(
                name,
                f"{place} fails: {reason}{more}",
                "mend the reason: what was deleted is hidden, and stays on the disk until then",
            )
        return warning(
            name,
            f"{place} is not done after {row['age_seconds'] // 60} minutes{more}",
            "look at system.mutations and system.merges",
        )

    sql = f"""
        SELECT table, mutation_id, latest_fail_reason AS reason,
            toInt64(now()) - toInt64(create_time) AS age_seconds
        FROM system.mutations
        WHERE database = {{database:String}} AND NOT is_done
            AND (reason != '' OR age_seconds > {MUTATES_FOR_AT_MOST_SECONDS})
        ORDER BY reason = '', create_time LIMIT 100"""  # noqa: S608 - a number of this module
    return NodeCheck(statement=NodeQuery(name=name, sql=sql), judge=judge)


def _replicas() -> NodeCheck:
    name = "replicas"

    def judge(rows: Rows) -> Finding:
        if locked := [row["table"] for row in rows if row["is_readonly"]]:
            return problem(
                name,
                f"{locked[0]} is read-only ({len(locked)} of {len(rows)} tables)",
                "look at Keeper; if its data is lost, SYSTEM RESTORE REPLICA",
            )
        if not rows:
            return Finding(check=name, found="none")
        row = max(rows, key=lambda each: each["absolute_delay"])
        found = f"{row['table']} is {row['absolute_delay']} s late"
        if row["absolute_delay"] > LAGS_AT_MOST_SECONDS:
            return warning(
                name, found, "look at system.replication_queue and at the network between replicas"
            )
        return Finding(check=name, found=f"{len(rows)} tables, {found}")

    # Not the columns for which Keeper is asked: it may be what does not answer.
    sql = """
        SELECT table, is_readonly, absolute_delay FROM system.replicas
        WHERE database = {database:String} ORDER BY table"""
    return NodeCheck(statement=NodeQuery(name=name, sql=sql), judge=judge)
