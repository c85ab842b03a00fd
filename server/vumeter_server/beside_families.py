"""What the server answers beside its families: whose a credential is, the dashboard, OpenAPI."""

from __future__ import annotations

from collections.abc import Sequence

from vumeter_server.access.store import KeyLookup, SignInCodes
from vumeter_server.api.servicers import Servicer
from vumeter_server.callers.grpc_api import AccessService
from vumeter_server.callers.rest_api import AccessRestService
from vumeter_server.dashboard.rest_api import DashboardRestService, load_dashboard
from vumeter_server.openapi.rest_api import OpenApiRestService, load_docs


def servicers_beside_families(keys: KeyLookup, codes: SignInCodes) -> Sequence[Servicer]:
    """Build the services that belong to no family."""
    document, page = load_docs()
    return (
        AccessService(keys=keys, codes=codes),
        AccessRestService(keys=keys, codes=codes),
        DashboardRestService(files=load_dashboard()),
        OpenApiRestService(document=document, files=page),
    )
