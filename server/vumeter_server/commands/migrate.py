"""`vumeter migrate`: everything copied from one store to another, while the first one serves."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import click
import orjson

from vumeter_server.commands.database import using
from vumeter_server.commands.deleting import counted
from vumeter_server.commands.options import one_line_errors
from vumeter_server.commands.printing import format_option
from vumeter_server.errors import DeadlineExceeded, Unavailable
from vumeter_server.runtime.clock import system_clock
from vumeter_server.runtime.logs import configure_command_logs
from vumeter_server.runtime.settings import store_password
from vumeter_server.runtime.start_error import StartError
from vumeter_server.runtime.store_address import (
    SHAPES,
    SqliteAddress,
    StoreAddress,
    parse_store_address,
)
from vumeter_server.store_migration.run import (
    ROUNDS_AT_THE_END,
    ROUNDS_WHILE_SERVING,
    Migration,
    Progress,
    Report,
)
from vumeter_server.store_migration.state import MigrationAction, check_target, note
from vumeter_server.store_migration.stores import MigrationStores

_SHOWN = 20
_FILE = click.Path(dir_okay=False, path_type=Path)


def _address(text: str) -> StoreAddress:
    try:
        return parse_store_address(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@click.option("--from", "source", required=True, type=_address, metavar="STORE", help=SHAPES)
@click.option("--to", "target", required=True, type=_address, metavar="STORE", help="The same.")
@click.option("--finish", is_flag=True, help="Take what came since, and finish.")
@click.option("--verify-only", is_flag=True, help="Compare, and change nothing.")
@click.option("--from-password-file", type=_FILE, help="Password of --from, if it is ClickHouse.")
@click.option("--to-password-file", type=_FILE, help="Password of --to, if it is ClickHouse.")
@format_option
def migrate(
    source: StoreAddress,
    target: StoreAddress,
    finish: bool,
    verify_only: bool,
    from_password_file: Path | None,
    to_password_file: Path | None,
    output_format: str,
) -> int:
    """Copy everything from one store to another, and compare both.

    Servers of the source may run meanwhile. Run it as often as you like: each time it takes what
    came since, and where it was cut short it goes on. Then stop the servers of the source, run it
    with --finish, and start servers on the target. Before that none starts there.

    The target has to be empty, or to hold an unfinished migration from this source. Passwords
    are in VUMETER_STORE_PASSWORD, VUMETER_STORE_PASSWORD_FILE, or the files given. Exits with
    status 1 if --finish or --verify-only finds a difference. Live metrics are not copied.
    """
    if finish and verify_only:
        raise click.UsageError("give --finish or --verify-only, not both")
    configure_command_logs()
    passwords = (from_password_file, to_password_file)
    with _one_line_errors(source, target), _bar() as progress:
        report = asyncio.run(
            _run(source, target, passwords, progress, finish=finish, verify_only=verify_only)
        )
    if output_format == "json":
        click.echo(orjson.dumps(_as_json(report, finish=finish)).decode())
    else:
        _print(report, finish=finish, verify_only=verify_only)
    return 1 if report.differences and (finish or verify_only) else 0


async def _run(
    source: StoreAddress,
    target: StoreAddress,
    passwords: tuple[Path | None, Path | None],
    progress: Progress,
    *,
    finish: bool,
    verify_only: bool,
) -> Report:
    writes = not verify_only
    async with contextlib.AsyncExitStack() as opened:
        # The source first: a target is created.
        ours = await opened.enter_async_context(
            _opened(source, passwords[0], is_target=False, is_alone=finish)
        )
        theirs = await opened.enter_async_context(
            _opened(target, passwords[1], is_target=writes, is_alone=writes)
        )
        if ours.name == theirs.name:
            raise StartError("--from and --to name the same store")
        access = theirs.access
        if writes and not await check_target(access, ours.name, name=theirs.name):
            await note(access, MigrationAction.BEGIN, ours.name, system_clock)
        rounds = ROUNDS_AT_THE_END if finish else ROUNDS_WHILE_SERVING
        migration = Migration(
            source=ours,
            target=theirs,
            clock=system_clock,
            rounds=rounds if writes else 0,
            progress=progress,
        )
        report = await migration.run()
        if finish and not report.differences:
            await note(access, MigrationAction.FINISH, ours.name, system_clock)
        return report


@contextlib.asynccontextmanager
async def _opened(
    address: StoreAddress, password_file: Path | None, *, is_target: bool, is_alone: bool
) -> AsyncIterator[MigrationStores]:
    if isinstance(address, SqliteAddress):
        from vumeter_server.stores.migration_on_sqlite import (  # noqa: PLC0415
            sqlite_for_migration,
        )

        async with sqlite_for_migration(
            address, system_clock, is_target=is_target, is_alone=is_alone
        ) as stores:
            yield stores
        return
    # Its packages are an extra.
    from vumeter_server.stores.packages import require_packages  # noqa: PLC0415

    require_packages()
    from vumeter_server.stores.migration_on_clickhouse import (  # noqa: PLC0415
        clickhouse_for_migration,
    )

    async with clickhouse_for_migration(address, _password(password_file), system_clock) as stores:
        yield stores


def _password(file: Path | None) -> str:
    if file is not None:
        return store_password(None, file)
    of_environment = os.environ.get("VUMETER_STORE_PASSWORD_FILE")
    return store_password(
        os.environ.get("VUMETER_STORE_PASSWORD"), Path(of_environment) if of_environment else None
    )


@contextlib.contextmanager
def _one_line_errors(source: StoreAddress, target: StoreAddress) -> Iterator[None]:
    """Turn what an operator can mend into one line; a damaged file is the source's, if a file."""
    files = [each.path for each in (source, target) if isinstance(each, SqliteAddress)]
    with one_line_errors(), using(files[0] if files else Path()):
        try:
            yield
        except (Unavailable, DeadlineExceeded) as error:
            raise click.ClickException(
                "a store does not answer; run the same again to go on"
            ) from error


def _as_json(report: Report, *, finish: bool) -> dict[str, object]:
    return {
        "finished": finish and not report.differences,
        "organizations": list(map(asdict, report.organizations)),
        "differences": list(map(asdict, report.differences)),
    }


def _print(report: Report, *, finish: bool, verify_only: bool) -> None:
    for each in report.organizations:
        parts = [
            counted(each.keys, "key"),
            counted(each.metrics, "metric"),
            f"{counted(each.points, 'point')} ({each.points_copied:,} copied now)",
            counted(each.idempotency_keys, "idempotency key"),
            counted(each.run_tests, "run test"),
            counted(each.executions, "execution"),
            counted(each.calls, "simulated call"),
        ]
        click.echo(f"{each.organization}: {', '.join(parts)}")
    _print_differences(list(map(str, report.differences)))
    if verify_only:
        click.echo("source and target differ" if report.differences else "no difference found")
    elif finish and report.differences:
        click.echo("not finished: source and target differ")
    elif finish:
        click.echo("finished: no difference found; start servers on the target")
    else:
        seen = "the source changed meanwhile" if report.differences else "no difference found"
        click.echo(f"{seen}; stop the servers of the source, then run this with --finish")


def _print_differences(differences: Sequence[str]) -> None:
    for line in differences[:_SHOWN]:
        click.echo(line)
    if len(differences) > _SHOWN:
        click.echo(f"and {len(differences) - _SHOWN:,} more; --format json has all")


@contextlib.contextmanager
def _bar() -> Iterator[Progress]:
    """Show on a terminal how many points are compared."""
    from rich.console import Console  # noqa: PLC0415 - only people wait for it
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar  # noqa: PLC0415

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("points"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("opening", total=None)
        yield Progress(
            expect=lambda points: bar.update(task, total=points),
            begin=lambda organization: bar.update(task, description=organization),
            advance=lambda points: bar.update(task, advance=points),
        )
