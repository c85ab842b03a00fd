"""How organizations map attributes: the table `attribute_mappings`."""

from __future__ import annotations

import msgspec

from vumeter_server.otlp.mapping import DEFAULT_MAPPING, AttributeMapping
from vumeter_server.sqlite.library import sqlite3


def read_mapping(connection: sqlite3.Connection, organization_id: int) -> AttributeMapping:
    """Return an organization's mapping, the default if it has none of its own."""
    row = connection.execute(
        "SELECT mapping FROM attribute_mappings WHERE organization_id = ?", (organization_id,)
    ).fetchone()
    if row is None:
        return DEFAULT_MAPPING
    return msgspec.json.decode(row[0], type=AttributeMapping)


def write_mapping(
    connection: sqlite3.Connection, organization_id: int, mapping: AttributeMapping
) -> None:
    """Keep an organization's mapping."""
    connection.execute(
        "INSERT OR REPLACE INTO attribute_mappings (organization_id, mapping) VALUES (?, ?)",
        (organization_id, msgspec.json.encode(mapping).decode()),
    )


def delete_mapping(connection: sqlite3.Connection, organization_id: int) -> None:
    """Go back to the default mapping."""
    connection.execute(
        "DELETE FROM attribute_mappings WHERE organization_id = ?", (organization_id,)
    )
