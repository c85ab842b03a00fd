"""Options and errors that commands share.

An option that is not given is None; then the environment counts.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from vumeter_server.access.keys import LABEL_PROBLEM, is_key_label
from vumeter_server.access.organizations import NAME_PROBLEM, is_organization_name
from vumeter_server.commands.files.formats import FORMATS
from vumeter_server.commands.remote_tls import remote_tls
from vumeter_server.live_metrics.validation import id_problem
from vumeter_server.runtime.start_error import StartError
from vumeter_server.times.steps import STEP_PROBLEM, read_step

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

PORT = click.IntRange(0, 65535)
PEM_FILE = click.Path(dir_okay=False, path_type=Path)


def organization_name(text: str) -> str:
    """Read an option that names an organization."""
    if not is_organization_name(text):
        raise click.BadParameter(NAME_PROBLEM)
    return text


def tenant_id(text: str) -> str:
    """Read an option that names a tenant of live metrics."""
    if problem := id_problem(text):
        raise click.BadParameter(problem)
    return text


def key_label(text: str) -> str:
    """Read what a key is for."""
    if not is_key_label(text):
        raise click.BadParameter(LABEL_PROBLEM)
    return text


def duration(text: str) -> int:
    """Read an option such as 90d, in microseconds."""
    duration_us = read_step(text)
    if duration_us is None:
        raise click.BadParameter(STEP_PROBLEM)
    return duration_us


def db_option(function: Decorated) -> Decorated:
    """Add --db."""
    return click.option(
        "--db",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Database file. [env VUMETER_DB, default data/vumeter.db]",
    )(function)


def server_options(function: Decorated) -> Decorated:
    """Add what both ways of starting a server take."""
    for option in (
        click.option(
            "--workers",
            type=click.IntRange(1, 64),
            help="Server processes. [env VUMETER_WORKERS, default 1]",
        ),
        click.option(
            "--insecure",
            is_flag=True,
            default=None,
            help="Listen beyond loopback without TLS. [env VUMETER_INSECURE]",
        ),
        click.option(
            "--tls-client-ca",
            type=PEM_FILE,
            help="Authorities whose certificates clients must show. [env VUMETER_TLS_CLIENT_CA]",
        ),
        click.option(
            "--tls-key", type=PEM_FILE, help="Key of the certificate. [env VUMETER_TLS_KEY]"
        ),
        click.option(
            "--tls-cert",
            type=PEM_FILE,
            help="Certificate of both ports: they speak TLS. [env VUMETER_TLS_CERT]",
        ),
        click.option("--host", help="Where to listen. [env VUMETER_HOST, default 127.0.0.1]"),
        click.option(
            "--grpc-port",
            type=PORT,
            help="gRPC port, 0 for any. [env VUMETER_GRPC_PORT, default 50051]",
        ),
        db_option,
    ):
        function = option(function)
    return function


def remote_options(function: Decorated) -> Decorated:
    """Add --target, and the options of TLS as one argument `tls`, a RemoteTls."""

    @functools.wraps(function)
    def with_tls(
        *args: Any,
        tls: bool,
        tls_ca: Path | None,
        tls_cert: Path | None,
        tls_key: Path | None,
        **others: Any,
    ) -> Any:
        asked = remote_tls(tls=tls, ca=tls_ca, certificate=tls_cert, key=tls_key)
        return function(*args, tls=asked, **others)

    wrapped = cast(Decorated, with_tls)
    for option in (
        click.option("--tls-key", type=PEM_FILE, help="The key of --tls-cert."),
        click.option(
            "--tls-cert", type=PEM_FILE, help="A certificate for a server that asks for one."
        ),
        click.option(
            "--tls-ca",
            type=PEM_FILE,
            help="Speak TLS, and trust the authorities of this file alone.",
        ),
        click.option("--tls", is_flag=True, help="Speak TLS, and trust what this machine trusts."),
        click.option(
            "--target",
            default="127.0.0.1:50051",
            show_default=True,
            metavar="HOST:PORT",
            help="Where the server, or Envoy before it, takes gRPC.",
        ),
    ):
        wrapped = option(wrapped)
    return wrapped


def file_options(file: click.Path) -> Callable[[Decorated], Decorated]:
    """Add the argument FILE, --format and what names the server."""

    def decorate(function: Decorated) -> Decorated:
        for option in (
            click.option(
                "--format",
                "file_format",
                type=click.Choice(FORMATS),
                help="Default: by the file's name, else ndjson.",
            ),
            remote_options,
            click.argument("file", type=file),
        ):
            function = option(function)
        return function

    return decorate


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn what an operator can mend into one line on stderr and status 2."""
    try:
        yield
    except StartError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        reason = error.strerror or str(error)
        where = f"{error.filename}: " if error.filename else ""
        raise click.ClickException(f"{where}{reason}") from error
