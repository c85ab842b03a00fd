"""A ClickHouse cluster: whether its nodes answer, are described as they are, and agree.

Every node is asked by itself, so that one that is down or hangs hides nothing of the others.
Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import version as package_version
from typing import Final

from vumeter_server.commands.administration import password_of_environment
from vumeter_server.commands.diagnosis.clock_checks import check_clock
from vumeter_server.commands.diagnosis.finding import Finding, problem, warning
from vumeter_server.commands.diagnosis.node_reports import (
    ClockReading,
    NodeQuery,
    NodeReport,
    Schema,
    Unread,
    of_nodes,
    unread,
)
from vumeter_server.commands.diagnosis.table_checks import table_checks
from vumeter_server.runtime.clock import Clock
from vumeter_server.runtime.start_error import StartError
from vumeter_server.runtime.store_address import ClickHouseAddress
from vumeter_server.stores.packages import require_packages
from vumeter_server.times.units import SECOND_US

REACH: Final = "between nodes"
CLOCKS_DIFFER_AT_MOST_US: Final = 5 * SECOND_US


def check_cluster(address: ClickHouseAddress, clock: Clock) -> Iterator[Finding]:
    """Yield what is found of a cluster."""
    try:
        require_packages()
    except StartError as error:
        yield problem("packages", str(error), "install them where vumeter is installed")
        return
    driver = package_version("clickhouse-connect")
    yield Finding(check="packages", found=f"clickhouse-connect {driver}")
    try:
        password = password_of_environment()
    except StartError as error:
        yield problem("sign in", str(error), "mend the file; run as the user of the server")
        return
    # Now that the packages are known to be there.
    from vumeter_server.commands.diagnosis.node_reading import read_nodes  # noqa: PLC0415

    checks = table_checks(address)
    statements = [each.statement for each in checks]
    if address.cluster:
        statements.append(_reached(address.cluster))
    reports = read_nodes(address, password, statements, clock)
    yield from _answers(address, reports)
    answering = [each for each in reports if not each.failure]
    if not answering:
        return
    yield check_versions(answering)
    yield from _cluster(address, answering)
    if address.cluster:
        yield from check_reach(answering, silent=len(reports) - len(answering))
    yield from _schema(address, answering)
    yield from _clocks(answering)
    yield _clock_record(reports, clock())
    for check in checks:
        yield from of_nodes(
            check.statement.name, [(each.node, check.found(each)) for each in answering]
        )


def _answers(address: ClickHouseAddress, reports: Sequence[NodeReport]) -> Iterator[Finding]:
    if rejecting := [each.node for each in reports if each.is_rejected]:
        yield problem(
            "sign in",
            f"{', '.join(rejecting)}: user {address.user} or the password is rejected",
            "set VUMETER_STORE_PASSWORD or VUMETER_STORE_PASSWORD_FILE, and the user in"
            " VUMETER_STORE",
        )
    advice = "start ClickHouse there, or look at its log; its shard answers 503 until then"
    found = [
        (
            each.node,
            problem("nodes", f"no answer: {each.failure}", advice)
            if each.failure
            else Finding(check="nodes", found="answers"),
        )
        for each in reports
        if not each.is_rejected
    ]
    yield from of_nodes("nodes", found)


def check_versions(reports: Sequence[NodeReport]) -> Finding:
    """Return what is found of the versions of nodes that answer."""
    nodes: dict[str, list[str]] = {}
    for each in reports:
        nodes.setdefault(each.version, []).append(each.node)
    if len(nodes) == 1:
        return Finding(check="ClickHouse", found=reports[0].version)
    found = "; ".join(f"{', '.join(those)}: {version}" for version, those in nodes.items())
    return warning("ClickHouse", found, "bring all nodes to one version, one node at a time")


def _cluster(address: ClickHouseAddress, reports: Sequence[NodeReport]) -> Iterator[Finding]:
    check = "cluster"
    # Not at the top: see `check_cluster`.
    from vumeter_server.clickhouse.opening import cluster_problem  # noqa: PLC0415

    def judge(nodes: int) -> Finding:
        if wrong := cluster_problem(address, nodes):
            advice = "mend VUMETER_STORE, or `remote_servers` in the node's configuration"
            return problem(check, f"VUMETER_STORE: {wrong}", advice)
        if not address.cluster:
            return Finding(check=check, found="none is named")
        named = f"{nodes} nodes in {address.cluster}"
        if nodes > len(address.hosts):
            named += f", {len(address.hosts)} of them in VUMETER_STORE and examined"
        return Finding(check=check, found=named)

    yield from of_nodes(check, [(each.node, judge(each.cluster_nodes)) for each in reports])
    if len({each.cluster_nodes for each in reports}) > 1:
        yield warning(
            check,
            "the nodes name different numbers of nodes",
            "give all nodes the same `remote_servers`",
        )


def _schema(address: ClickHouseAddress, reports: Sequence[NodeReport]) -> Iterator[Finding]:
    check = "database"
    from vumeter_server.clickhouse.migrations.history import VERSIONS  # noqa: PLC0415

    known, newest = set(VERSIONS), max(VERSIONS)
    schemas = [each.schema for each in reports]
    is_new = not any(isinstance(each, Schema) and each.versions for each in schemas)

    def judge(schema: Schema | Unread) -> Finding:
        if isinstance(schema, Unread):
            return unread(check, schema)
        if later := schema.versions - known:
            return problem(
                check,
                f"tables of version {max(later)}, and this vumeter knows up to {newest}",
                "install the version of vumeter that made them",
            )
        if not schema.versions:
            return _no_schema(address, schema, is_new=is_new)
        if missing := known - schema.versions:
            return warning(
                check,
                f"tables of version {max(schema.versions)}, and this vumeter has {newest}",
                f"make a backup; the next start upgrades them ({len(missing)} migrations)",
            )
        return Finding(check=check, found=f"{address.database}, version {newest}")

    yield from of_nodes(check, [(each.node, judge(each.schema)) for each in reports])


def _no_schema(address: ClickHouseAddress, schema: Schema, *, is_new: bool) -> Finding:
    check = "database"
    if not is_new:
        return problem(
            check,
            f"no tables of vumeter in {address.database}, and other nodes have them",
            "if its disk was lost, restore its backup; the next start makes empty tables",
        )
    if schema.tables:
        return warning(
            check,
            f"{address.database} holds {schema.tables} tables, none of them vumeter's",
            "give the right database in VUMETER_STORE; a start adds its tables to these",
        )
    return Finding(check=check, found=f"no {address.database} yet: the first start makes it")


def _clocks(reports: Sequence[NodeReport]) -> Iterator[Finding]:
    check = "clocks of nodes"

    def judge(reading: ClockReading | Unread) -> Finding:
        if isinstance(reading, Unread):
            return unread(check, reading)
        early_us, late_us = reading.before_us - reading.node_us, reading.node_us - reading.after_us
        if max(early_us, late_us) <= CLOCKS_DIFFER_AT_MOST_US:
            return Finding(check=check, found="as this machine's")
        way = "behind" if early_us > 0 else "ahead of"
        return warning(
            check,
            f"{max(early_us, late_us) // SECOND_US} s {way} this machine's",
            "set the clocks of the nodes and of this machine by NTP",
        )

    yield from of_nodes(check, [(each.node, judge(each.clock)) for each in reports])


def _clock_record(reports: Sequence[NodeReport], now_us: int) -> Finding:
    schemas = [each.schema for each in reports if not each.failure]
    records = [each.clock for each in schemas if isinstance(each, Schema) and each.clock]
    if records:
        # It is on one shard, of which all replicas have it, some of them late.
        record = max(records, key=lambda each: each.seen_us)
        return check_clock(now_us, record.seen_us, record.untrusted_for_us)
    if any(each.failure for each in reports) or any(isinstance(each, Unread) for each in schemas):
        return Finding(check="clock", found="its record is not on the nodes that could be read")
    return check_clock(now_us, None, 0)


def _reached(cluster: str) -> NodeQuery:
    """Return what counts the nodes that a node gets answers of."""
    return NodeQuery(
        name=REACH,
        sql=f"SELECT count() AS reached FROM clusterAllReplicas('{cluster}', system.one)",  # noqa: S608 - checked
        # The others are to be counted.
        settings={"skip_unavailable_shards": 1},
    )


def check_reach(reports: Sequence[NodeReport], *, silent: int) -> Iterator[Finding]:
    """Yield whether nodes that answer reach each other; `silent` others do not answer here."""
    advice = (
        "open ClickHouse's own port between the nodes, and check user, password or secret in"
        " `remote_servers`; what is asked through this node is 503"
    )

    def judge(report: NodeReport) -> Finding:
        rows = report.rows[REACH]
        if isinstance(rows, Unread):
            return problem(REACH, f"cannot ask the others: {rows.reason}", advice)
        reached, nodes = rows[0]["reached"], report.cluster_nodes
        found = f"reaches {reached} of {nodes} nodes"
        # Those that do not answer here have a row of their own.
        if reached < nodes - silent:
            return problem(REACH, found, advice)
        return Finding(check=REACH, found=found)

    known = [each for each in reports if each.cluster_nodes]
    yield from of_nodes(REACH, [(each.node, judge(each)) for each in known])
