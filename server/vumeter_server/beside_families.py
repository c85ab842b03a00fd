"""What the server answers beside its families: whose a credential is, the dashboard, OpenAPI."""

from __future__ import annotations

from collections.abc import Sequence

from vumeter_server.access.store import KeyLookup
from vumeter_server.api.servicers import Servicer
from vumeter_server.callers.grpc_api import AccessService
from vumeter_server.callers.rest_api import AccessRestService
from vumeter_server.dashboard.rest_api import DashboardRestService, load_dashboard
from vumeter_server.openapi.rest_api import OpenApiRestService, load_docs


def servicers_beside_families(keys: KeyLookup) -> Sequence[Servicer]:
    """Build the services that belong to no family."""
    document, page = load_docs()
    return (
        AccessService(keys=keys),
        AccessRestService(keys=keys),
        DashboardRestService(files=load_dashboard()),
        OpenApiRestService(document=document, files=page),
    )
