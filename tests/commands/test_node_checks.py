"""What the doctor makes of the answers of a cluster's nodes; on a cluster: `tests/clickhouse`."""

from __future__ import annotations

from typing import Any

import pytest
from tests.commands.cluster_findings import examined, wrong

from vumeter_server.commands.diagnosis.cluster_checks import REACH, check_reach, check_versions
from vumeter_server.commands.diagnosis.finding import FindingStatus
from vumeter_server.commands.diagnosis.node_reports import NodeReport, Unread, unread
from vumeter_server.commands.diagnosis.table_checks import table_checks
from vumeter_server.runtime.store_address import ClickHouseAddress, ClickHouseHost

GIB = 1 << 30


def test_when_no_node_answers_each_is_named() -> None:
    hosts = tuple(ClickHouseHost(host="127.0.0.1", port=port) for port in (1, 2))
    address = ClickHouseAddress(user="default", hosts=hosts, database="vumeter")
    findings = wrong(examined(address))
    assert [each[:2] for each in findings] == [("nodes", "problem")] * 2
    assert [each[2].partition(": ")[0] for each in findings] == ["127.0.0.1:1", "127.0.0.1:2"]


def test_a_password_file_that_cannot_be_read_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VUMETER_STORE_PASSWORD_FILE", "/nowhere/password")
    address = ClickHouseAddress(user="default", hosts=(), database="vumeter")
    assert [each[:2] for each in wrong(examined(address))] == [("sign in", "problem")]


def disk(free: int, *, largest: int = 0, broken: int = 0) -> dict[str, Any]:
    return {
        "name": "default",
        "free_space": free,
        "keep_free_space": GIB,
        "is_broken": broken,
        "largest_bytes": largest,
    }


def parts(number: int) -> dict[str, Any]:
    return {"most": number, "its_table": "points_local", "delayed": 1_000, "rejected": 3_000}


def replica(late_seconds: int, *, readonly: int = 0) -> dict[str, Any]:
    return {"table": "points_local", "absolute_delay": late_seconds, "is_readonly": readonly}


@pytest.mark.parametrize(
    ("name", "answer", "status"),
    [
        ("disk room", [disk(9 * GIB)], "ok"),
        ("disk room", [disk(9 * GIB, largest=9 * GIB)], "warning"),
        ("disk room", [disk(9 * GIB), disk(GIB * 5 // 2)], "warning"),
        ("disk room", [disk(9 * GIB), disk(GIB * 3 // 2)], "problem"),
        ("disk room", [disk(GIB)], "problem"),
        ("disk room", [disk(9 * GIB, broken=1)], "problem"),
        ("disk room", [], "ok"),
        ("parts", [parts(799)], "ok"),
        ("parts", [parts(800)], "warning"),
        ("parts", [parts(2_400)], "problem"),
        ("damaged parts", [{"table": "points_local", "parts": 1}], "warning"),
        ("replicas", [replica(0), replica(60)], "ok"),
        ("replicas", [replica(0), replica(61)], "warning"),
        ("replicas", [replica(0, readonly=1), replica(61)], "problem"),
        (
            "mutations",
            [{"table": "t", "mutation_id": "m", "reason": "", "age_seconds": 7_200}],
            "warning",
        ),
    ],
)
def test_what_a_node_of_replicas_answers_is_judged(
    name: str, answer: list[dict[str, Any]], status: str
) -> None:
    address = ClickHouseAddress(user="u", hosts=(), database="d", engine="ReplicatedMergeTree")
    (check,) = [each for each in table_checks(address) if each.statement.name == name]
    found = check.judge(answer)
    assert (found.check, found.status.value) == (name, status)


def test_nodes_that_cannot_ask_the_others_or_differ_are_named() -> None:
    reports = [
        NodeReport(node="a", version="26.7", cluster_nodes=3, rows={REACH: [{"reached": 2}]}),
        NodeReport(node="b", version="26.8", cluster_nodes=3, rows={REACH: Unread(reason="no")}),
    ]
    assert wrong(list(check_reach(reports[:1], silent=1))) == []
    assert wrong(list(check_reach(reports, silent=0))) == [
        (REACH, "problem", "a: reaches 2 of 3 nodes"),
        (REACH, "problem", "b: cannot ask the others: no"),
    ]
    assert wrong([check_versions(reports)]) == [("ClickHouse", "warning", "a: 26.7; b: 26.8")]
    assert wrong([check_versions(reports[:1])]) == []


def test_what_a_node_cannot_read_is_a_warning_and_damage_a_problem() -> None:
    assert unread("parts", Unread(reason="no rights")).status is FindingStatus.WARNING
    assert unread("parts", Unread(reason="bad", is_damage=True)).status is FindingStatus.PROBLEM
