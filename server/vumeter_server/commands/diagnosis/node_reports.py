"""What the doctor reads of the nodes of a cluster, and how findings of several become rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from vumeter_server.commands.diagnosis.finding import Finding, FindingStatus, problem, warning
from vumeter_server.runtime.clock_guard import ClockRecord

Rows: TypeAlias = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Unread:
    """Why a node did not answer one statement; with `is_damage` what it reads is broken."""

    reason: str
    is_damage: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ClockReading:
    """A node's clock, and this machine's before and after it was asked; microseconds."""

    before_us: int
    node_us: int
    after_us: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Schema:
    """The tables of a node's database, and the versions of vumeter's schema that it has got."""

    tables: int
    versions: frozenset[int] = frozenset()
    clock: ClockRecord | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeQuery:
    """What each node is asked, with {database:String}; `name` is that of the check it is for."""

    name: str
    sql: str
    settings: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeReport:
    """What a node answered.

    Attributes:
        node: HOST:PORT.
        failure: why it cannot be asked; of a node that answers "", and then all else is known.
        is_rejected: whether that is because the user is not let in.
        version: ClickHouse's.
        cluster_nodes: how many nodes it knows of the cluster.
        rows: the answers to statements, by their names.
    """

    node: str
    failure: str = ""
    is_rejected: bool = False
    version: str = ""
    cluster_nodes: int = 0
    clock: ClockReading | Unread = Unread(reason="")
    schema: Schema | Unread = Unread(reason="")
    rows: Mapping[str, Rows | Unread] = field(default_factory=dict)


def unread(check: str, answer: Unread) -> Finding:
    """Return the finding for what could not be read."""
    if answer.is_damage:
        return problem(check, f"damaged: {answer.reason}", "restore the backup of the node")
    return warning(
        check,
        f"cannot be read: {answer.reason}",
        "the user of VUMETER_STORE has to read the node's system tables",
    )


def of_nodes(check: str, found: Sequence[tuple[str, Finding]]) -> Iterator[Finding]:
    """Yield a row for all nodes where nothing is wrong, and one for each thing that is wrong."""
    nodes: dict[Finding, list[str]] = {}
    for node, finding in found:
        nodes.setdefault(finding, []).append(node)
    right = [each for each in nodes if each.status is FindingStatus.OK]
    if right:
        texts = [f"{', '.join(nodes[each])}: {each.found}" for each in right]
        yield Finding(check=check, found="; ".join(texts))
    for each, its_nodes in nodes.items():
        if each.status is not FindingStatus.OK:
            yield Finding(
                check=check,
                status=each.status,
                found=f"{', '.join(its_nodes)}: {each.found}",
                advice=each.advice,
            )
