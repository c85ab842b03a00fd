"""What commands do to a store beside running servers, in whichever store it is."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from vumeter_server.access.audit import AuditAdministration
from vumeter_server.access.store import KeyAdministration, LimitAdministration, SignInAdministration
from vumeter_server.commands.database import opened, store_address
from vumeter_server.commands.on_file import FileAdministration
from vumeter_server.errors import DeadlineExceeded, StorageDamaged, Unavailable
from vumeter_server.runtime.actors import by_command
from vumeter_server.runtime.clock_guard import ClockAdministration
from vumeter_server.runtime.settings import Settings, read_store_password, store_password
from vumeter_server.runtime.start_error import StartError
from vumeter_server.runtime.store_address import ClickHouseAddress
from vumeter_server.sqlite import open_database

if TYPE_CHECKING:
    # Not for `vumeter keys`, which has no use for them.
    from vumeter_server.commands.organization_contents import OrganizationDeletion
    from vumeter_server.custom_metrics.store import MetricAdministration, PointAdministration
    from vumeter_server.demo.record import DemoRecord
    from vumeter_server.live_metrics.store import TenantAdministration
    from vumeter_server.otlp.store import OtlpAdministration
    from vumeter_server.simulation.store import RunTestAdministration


class Administration(Protocol):
    """All that commands ask of a store."""

    @property
    def keys(self) -> KeyAdministration:
        """Organizations and keys."""

    @property
    def limits(self) -> LimitAdministration:
        """Limits of organizations."""

    @property
    def sign_in(self) -> SignInAdministration:
        """Links that sign in."""

    @property
    def audit(self) -> AuditAdministration:
        """Who changed what."""

    @property
    def organizations(self) -> OrganizationDeletion:
        """Deletion of organizations with all they recorded."""

    @property
    def metrics(self) -> MetricAdministration:
        """Custom metrics."""

    @property
    def points(self) -> PointAdministration:
        """Points of custom metrics."""

    @property
    def otlp(self) -> OtlpAdministration:
        """What exporters send."""

    @property
    def run_tests(self) -> RunTestAdministration:
        """Simulated calls."""

    @property
    def tenants(self) -> TenantAdministration:
        """Live metrics."""

    @property
    def clock(self) -> ClockAdministration:
        """The machine's clock."""

    @property
    def demo(self) -> DemoRecord:
        """Which demo data there is."""

    def problems(self) -> list[str]:
        """Return what is damaged and what does not agree, a line each."""


@contextlib.contextmanager
def opened_administration(
    db: Path | None, *, create: bool = False, hint: str = ""
) -> Iterator[Administration]:
    """Open the store that `db`, VUMETER_STORE or VUMETER_DB names; see `database.opened`."""
    address = store_address(db)
    if isinstance(address, ClickHouseAddress):
        with _one_line_errors(), by_command(click.get_current_context().command_path):
            from vumeter_server.runtime.logs import configure_command_logs  # noqa: PLC0415

            configure_command_logs()
            yield on_cluster(address, password_of_environment())
    else:
        with opened(db, create=create, hint=hint) as database:
            yield FileAdministration(database)


def administration_of(settings: Settings) -> Administration:
    """Return what a product's own process does to its store, which is there.

    Raises StartError if packages are missing, DatabaseError if a file cannot be opened.
    """
    address = settings.store_address
    if isinstance(address, ClickHouseAddress):
        return on_cluster(address, read_store_password(settings))
    return FileAdministration(open_database(settings.db, create=False))


def on_cluster(address: ClickHouseAddress, password: str) -> Administration:
    """Return what commands do to a cluster. Raises StartError if packages are missing."""
    # Loaded for those who have a cluster.
    from vumeter_server.stores.packages import require_packages  # noqa: PLC0415

    require_packages()
    from vumeter_server.clickhouse.blocking import BlockingClickHouse  # noqa: PLC0415
    from vumeter_server.clickhouse.opening import opened_clickhouse  # noqa: PLC0415
    from vumeter_server.commands.on_cluster import ClusterAdministration  # noqa: PLC0415

    return ClusterAdministration(BlockingClickHouse(lambda: opened_clickhouse(address, password)))


def password_of_environment() -> str:
    """Return the password of ClickHouse. Raises StartError if its file cannot be read."""
    file = os.environ.get("VUMETER_STORE_PASSWORD_FILE")
    return store_password(os.environ.get("VUMETER_STORE_PASSWORD"), Path(file) if file else None)


def known_organization(administration: Administration, name: str) -> int:
    """Return the number of an organization; that there is none is one line and status 2."""
    organization_id = administration.keys.organization_id(name)
    if organization_id is None:
        raise click.ClickException(f"there is no organization {name}")
    return organization_id


@contextlib.contextmanager
def _one_line_errors() -> Iterator[None]:
    try:
        yield
    except (StartError, StorageDamaged) as error:
        raise click.ClickException(str(error)) from error
    except (Unavailable, DeadlineExceeded) as error:
        raise click.ClickException(
            "the cluster does not answer, or not in time; what the command asked for may be done"
        ) from error
