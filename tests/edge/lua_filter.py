"""What the Lua filter of envoy.yaml knows."""

from __future__ import annotations

import re

from vumeter_server.edge.config import connection_manager, edge_files, load


def methods_of_paths() -> dict[str, set[str]]:
    """Return the methods of each documented path."""
    filters = connection_manager(load(edge_files().envoy_yaml))["http_filters"]
    (lua,) = [f["typed_config"] for f in filters if f["name"] == "envoy.filters.http.lua"]
    source = lua["default_source_code"]["inline_string"]
    table = source.partition("methods_of = {")[2].partition("}")[0]
    lines = [line for line in table.splitlines() if line.strip()]
    rows = [re.fullmatch(r'\s*\["(\S+)"\] = "([A-Z, ]+)",', line) for line in lines]
    assert None not in rows, lines
    return {row[1]: set(row[2].split(", ")) for row in rows if row}
