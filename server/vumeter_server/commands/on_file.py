"""What commands do to a database file; each loads what it needs, no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vumeter_server.access.sqlite.audit import SqliteAuditAdministration
from vumeter_server.access.sqlite.limits import SqliteLimitAdministration
from vumeter_server.access.sqlite.sign_in import SqliteSignInAdministration
from vumeter_server.access.sqlite.store import SqliteKeyAdministration
from vumeter_server.sqlite import Database
from vumeter_server.sqlite.clock_record import SqliteClockAdministration

if TYPE_CHECKING:
    from vumeter_server.commands.organization_deletion import SqliteOrganizationDeletion
    from vumeter_server.commands.point_deletion import SqlitePointAdministration
    from vumeter_server.commands.run_test_deletion import SqliteRunTestAdministration
    from vumeter_server.commands.tenant_deletion import SqliteTenantAdministration
    from vumeter_server.custom_metrics.sqlite.maintenance.administration import (
        SqliteMetricAdministration,
    )
    from vumeter_server.demo.sqlite import SqliteDemoRecord
    from vumeter_server.otlp.sqlite.administration import SqliteOtlpAdministration


class FileAdministration:
    """Implements Administration."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.keys = SqliteKeyAdministration(database)
        self.limits = SqliteLimitAdministration(database)
        self.sign_in = SqliteSignInAdministration(database)
        self.audit = SqliteAuditAdministration(database)
        self.clock = SqliteClockAdministration(database)

    @property
    def organizations(self) -> SqliteOrganizationDeletion:
        """Deletion of organizations with all they recorded."""
        from vumeter_server.commands.organization_deletion import (  # noqa: PLC0415
            SqliteOrganizationDeletion,
        )

        return SqliteOrganizationDeletion(self._database)

    @property
    def metrics(self) -> SqliteMetricAdministration:
        """Custom metrics."""
        from vumeter_server.custom_metrics.sqlite.maintenance.administration import (  # noqa: PLC0415
            SqliteMetricAdministration,
        )

        return SqliteMetricAdministration(self._database)

    @property
    def points(self) -> SqlitePointAdministration:
        """Points of custom metrics."""
        from vumeter_server.commands.point_deletion import (  # noqa: PLC0415
            SqlitePointAdministration,
        )

        return SqlitePointAdministration(self._database)

    @property
    def otlp(self) -> SqliteOtlpAdministration:
        """What exporters send."""
        from vumeter_server.otlp.sqlite.administration import (  # noqa: PLC0415
            SqliteOtlpAdministration,
        )

        return SqliteOtlpAdministration(self._database)

    @property
    def run_tests(self) -> SqliteRunTestAdministration:
        """Simulated calls."""
        from vumeter_server.commands.run_test_deletion import (  # noqa: PLC0415
            SqliteRunTestAdministration,
        )

        return SqliteRunTestAdministration(self._database)

    @property
    def tenants(self) -> SqliteTenantAdministration:
        """Live metrics."""
        from vumeter_server.commands.tenant_deletion import (  # noqa: PLC0415
            SqliteTenantAdministration,
        )

        return SqliteTenantAdministration(self._database)

    @property
    def demo(self) -> SqliteDemoRecord:
        """Which demo data there is."""
        from vumeter_server.demo.sqlite import SqliteDemoRecord  # noqa: PLC0415

        return SqliteDemoRecord(self._database)

    def problems(self) -> list[str]:
        """Return what is damaged and what does not agree."""
        from vumeter_server.commands.checking import find_problems  # noqa: PLC0415

        return self._database.read(find_problems)
