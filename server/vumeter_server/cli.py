"""`vumeter`: every command, thin."""

from __future__ import annotations

import click


@click.group()
@click.version_option(package_name="vumeter")
def main() -> None:
    """Metrics of voice agents over gRPC and REST."""


if __name__ == "__main__":
    main()
