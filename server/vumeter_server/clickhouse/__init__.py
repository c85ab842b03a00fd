"""What every store on ClickHouse shares: the port, the schema and its migrations, logs of entries.

`vumeter[clickhouse]` brings what it needs; a server on SQLite never loads this.
"""

from vumeter_server.clickhouse.failures import ClickHouseError
from vumeter_server.clickhouse.layout import Layout
from vumeter_server.clickhouse.migrations.history import migrate
from vumeter_server.clickhouse.port import ClickHouse, Parameter

__all__ = ["ClickHouse", "ClickHouseError", "Layout", "Parameter", "migrate"]
