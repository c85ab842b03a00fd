"""The dashboard's page and its files, with the headers that browsers are to keep to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from google.api.httpbody_pb2 import HttpBody
from google.protobuf.descriptor import ServiceDescriptor

from vumeter.dashboard.v1 import dashboard_rest_pb2 as pb
from vumeter_server.api.call import Call
from vumeter_server.dashboard.files import DashboardFiles, WebFile
from vumeter_server.errors import NotFound

# A year, the longest that browsers keep anything.
IMMUTABLE: Final = "public, max-age=31536000, immutable"
SECURITY_HEADERS: Final = (
    (
        "content-security-policy",
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
        " object-src 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class DashboardRestService:
    """Serves vumeter.dashboard.v1.DashboardRestService."""

    files: DashboardFiles

    @property
    def service(self) -> ServiceDescriptor:
        """The service's descriptor."""
        return pb.DESCRIPTOR.services_by_name["DashboardRestService"]

    @property
    def field_names(self) -> Mapping[str, str]:
        """Fields are spelled as in the protos."""
        return {}

    async def GetPage(self, request: pb.GetPageRequest, call: Call) -> HttpBody:
        """Answer the page."""
        return await _sent(self.files.page, "no-cache", call)

    async def GetAsset(self, request: pb.GetAssetRequest, call: Call) -> HttpBody:
        """Answer a file of the page."""
        found = self.files.assets.get(request.name)
        if found is None:
            raise NotFound
        return await _sent(found, IMMUTABLE, call)


async def _sent(file: WebFile, cache_control: str, call: Call) -> HttpBody:
    # A transcoder passes initial metadata on as headers.
    await call.context.send_initial_metadata((("cache-control", cache_control), *SECURITY_HEADERS))
    return HttpBody(content_type=file.media_type, data=file.data)
