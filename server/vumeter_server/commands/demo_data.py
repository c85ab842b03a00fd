"""Demo data of a running product, loaded and played by who started it."""

from __future__ import annotations

from vumeter_server.runtime.settings import Settings
from vumeter_server.supervisor.endpoints import Endpoints


async def load_demo_data(settings: Settings, endpoints: Endpoints) -> None:
    """Put demo data into a database that never had any."""
    # A product without demo data has no use for a gRPC client.
    from vumeter_server.demo.loading import load_demo  # noqa: PLC0415

    await load_demo(settings, endpoints.inside)


async def play_demo_data(settings: Settings, endpoints: Endpoints) -> None:
    """Play demo data as long as the product runs."""
    from vumeter_server.demo.loading import play_demo  # noqa: PLC0415

    await play_demo(settings, endpoints.inside)
