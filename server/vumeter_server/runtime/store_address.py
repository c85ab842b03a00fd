"""Where everything is stored: what VUMETER_STORE names, a SQLite file or a ClickHouse cluster."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias
from urllib.parse import parse_qsl, unquote

SHAPES: Final = "sqlite:///PATH or clickhouse://USER@HOST[:PORT],…/DATABASE?cluster=NAME"

Engine: TypeAlias = Literal["MergeTree", "ReplicatedMergeTree"]

_ENGINES: Final[tuple[Engine, ...]] = ("MergeTree", "ReplicatedMergeTree")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?\Z")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}\Z")
_HTTP_PORT, _HTTPS_PORT = 8123, 8443
_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True, kw_only=True, slots=True)
class SqliteAddress:
    """A database file."""

    path: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class ClickHouseHost:
    """A node's HTTP interface."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return it as it is written in VUMETER_STORE."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ClickHouseAddress:
    """A ClickHouse server or cluster, without its password.

    Attributes:
        user: who signs in.
        hosts: HTTP interfaces; the first that answers is asked.
        database: its name, on every node.
        cluster: the name that the nodes' `remote_servers` give the cluster; "" for a single node.
        engine: `MergeTree`, or `ReplicatedMergeTree` where every shard has replicas and a Keeper.
        on_cluster: whether tables are made and changed by `ON CLUSTER`, which needs a Keeper;
            without it each statement goes to every node, and `hosts` has to name all of them.
        quorum: how many replicas have to hold a recording before it is acknowledged: `auto`, a
            majority, or a number; only with `ReplicatedMergeTree`.
        secure: whether the nodes are asked over https.
        ca_file: the authority that the nodes' certificates are checked against; None for those of
            the system.
    """

    user: str
    hosts: tuple[ClickHouseHost, ...]
    database: str
    cluster: str = ""
    engine: Engine = "MergeTree"
    on_cluster: bool = False
    quorum: str = "auto"
    secure: bool = False
    ca_file: Path | None = None


StoreAddress: TypeAlias = SqliteAddress | ClickHouseAddress


def parse_store_address(text: str) -> StoreAddress:
    """Read VUMETER_STORE.

    Raises ValueError, with one line that holds no secret.
    """
    scheme, separator, rest = text.partition("://")
    if separator and scheme == "sqlite":
        if not rest.startswith("/") or rest == "/":
            raise ValueError("must be sqlite:///PATH, and sqlite:////PATH from the root")
        return SqliteAddress(path=Path(unquote(rest[1:])))
    if separator and scheme == "clickhouse":
        return _clickhouse(rest)
    raise ValueError(f"must be {SHAPES}")


def _clickhouse(rest: str) -> ClickHouseAddress:
    # By hand: `urlsplit` knows one host, takes several with an IPv6 address among them for none in
    # newer versions of Python, and shows what may be a password.
    whole, _, query = rest.partition("?")
    place, _, database = whole.partition("/")
    user, at, hosts = place.rpartition("@")
    if ":" in user:
        raise ValueError(
            "must not hold a password: set VUMETER_STORE_PASSWORD or VUMETER_STORE_PASSWORD_FILE"
        )
    if at and not user:
        raise ValueError("names no user before @")
    if "#" in rest:
        raise ValueError("must not hold #")
    if not _NAME.match(database):
        raise ValueError(
            "must name the database after the hosts: letters, digits and _, no digit first"
        )
    options = _options(query)
    secure = _truth(options, "secure")
    engine = options.get("engine", "MergeTree")
    if engine not in _ENGINES:
        raise ValueError(f"engine must be {' or '.join(_ENGINES)}")
    cluster = options.get("cluster", "")
    if cluster and not _NAME.match(cluster):
        raise ValueError("cluster must be a name of letters, digits and _, no digit first")
    on_cluster = _truth(options, "on_cluster")
    if on_cluster and not cluster:
        raise ValueError("on_cluster needs cluster=NAME")
    quorum = options.get("quorum", "auto")
    if quorum != "auto" and not re.fullmatch(r"[1-9][0-9]?", quorum):
        raise ValueError("quorum must be auto, or a number of replicas from 1 to 99")
    if "quorum" in options and engine == "MergeTree":
        raise ValueError("quorum needs engine=ReplicatedMergeTree")
    if "ca_file" in options and not secure:
        raise ValueError("ca_file needs secure=true")
    return ClickHouseAddress(
        user=unquote(user) or "default",
        hosts=_hosts(hosts, _HTTPS_PORT if secure else _HTTP_PORT),
        database=database,
        cluster=cluster,
        engine=engine,
        on_cluster=on_cluster,
        quorum=quorum,
        secure=secure,
        ca_file=Path(options["ca_file"]) if "ca_file" in options else None,
    )


def _hosts(text: str, default_port: int) -> tuple[ClickHouseHost, ...]:
    hosts = []
    for number, each in enumerate(text.split(","), 1):
        found = _HOST.match(each)
        # What is wrong is not shown: it may be a part of a password.
        if not found or not (port := int(found[2] or default_port)) or port > 65535:
            raise ValueError(f"host {number} must be HOST or HOST:PORT")
        hosts.append(ClickHouseHost(host=found[1].strip("[]"), port=port))
    if len(set(hosts)) < len(hosts):
        raise ValueError("names a host twice")
    return tuple(hosts)


def _options(query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    known = ("cluster", "engine", "on_cluster", "quorum", "secure", "ca_file")
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            raise ValueError(f"may hold no other options than {', '.join(known)}")
        if name in options:
            raise ValueError(f"has {name} twice")
        if not value:
            raise ValueError(f"{name} must not be empty")
        options[name] = value
    return options


def _truth(options: dict[str, str], name: str) -> bool:
    given = options.get(name, "false")
    if given not in _TRUTH:
        raise ValueError(f"{name} must be true or false")
    return _TRUTH[given]
