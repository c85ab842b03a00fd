"""`make run`: `vumeter up` that always greets as on a first start, also with an admin token."""

from __future__ import annotations

import os
import sys

import click

from vumeter_server.commands.first_start import (
    TOKEN_VARIABLE,
    greeting,
    keep_admin_token,
    keep_terminal_readable,
)
from vumeter_server.commands.options import one_line_errors
from vumeter_server.commands.running import database_path
from vumeter_server.commands.supervising import run_supervisor
from vumeter_server.runtime.settings import load_settings


def main() -> None:
    """Run until Ctrl-C; exit as `vumeter up` does."""
    try:
        with one_line_errors():
            db = database_path(None)
            is_kept = not os.environ.get(TOKEN_VARIABLE)
            if is_kept:
                keep_admin_token(db)
            keep_terminal_readable(db)
            settings = load_settings()
            sys.exit(run_supervisor(settings, on_ready=greeting(settings, token_is_kept=is_kept)))
    except click.ClickException as error:
        click.echo(f"vumeter: {error.format_message()}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
