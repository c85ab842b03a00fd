"""Demo data of a running product, loaded and played by who started it."""

from __future__ import annotations

import asyncio

from vumeter_server.commands.administration import Administration, administration_of
from vumeter_server.runtime.settings import Settings
from vumeter_server.runtime.start_error import StartError
from vumeter_server.sqlite import DatabaseError
from vumeter_server.supervisor.endpoints import Endpoints

# A product without demo data has no use for a gRPC client: it is loaded where it is used.


async def load_demo_data(
    settings: Settings, endpoints: Endpoints, administration: Administration
) -> None:
    """Put demo data into a store that never had any, or what it lacks since."""
    from vumeter_server.demo.loading import load_demo, say_incomplete  # noqa: PLC0415

    try:
        await load_demo(settings, endpoints.inside, administration)
    except DatabaseError as error:
        say_incomplete(error)


async def play_demo_data(
    settings: Settings, endpoints: Endpoints, administration: Administration
) -> None:
    """Play demo data as long as the product runs."""
    from vumeter_server.demo.loading import play_demo  # noqa: PLC0415

    await play_demo(settings, endpoints.inside, administration)


async def load_and_play_demo_data(settings: Settings, endpoints: Endpoints) -> None:
    """Do both, for who has not opened the store; that it cannot be opened is one line."""
    from vumeter_server.demo.loading import say_incomplete  # noqa: PLC0415

    try:
        administration = await asyncio.to_thread(administration_of, settings)
    except (StartError, DatabaseError) as error:
        say_incomplete(error)
        return
    await load_demo_data(settings, endpoints, administration)
    await play_demo_data(settings, endpoints, administration)
