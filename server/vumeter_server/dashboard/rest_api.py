"""The dashboard's page and its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from google.api.httpbody_pb2 import HttpBody
from google.protobuf.descriptor import ServiceDescriptor

from vumeter.dashboard.v1 import dashboard_rest_pb2 as pb
from vumeter_server.api.call import Call
from vumeter_server.api.web_pages import ASK_AGAIN, IMMUTABLE, WebPage, generated, load_page, send
from vumeter_server.errors import NotFound


def load_dashboard() -> WebPage:
    """Read the files of the dashboard; raises FileNotFoundError."""
    return load_page(generated("dashboard", Path(__file__).resolve().parent / "files"))


@dataclass(frozen=True, kw_only=True, slots=True)
class DashboardRestService:
    """Serves vumeter.dashboard.v1.DashboardRestService."""

    files: WebPage

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
        return await send(self.files.page, ASK_AGAIN, call)

    async def GetAsset(self, request: pb.GetAssetRequest, call: Call) -> HttpBody:
        """Answer a file of the page."""
        found = self.files.assets.get(request.name)
        if found is None:
            raise NotFound
        return await send(found, IMMUTABLE, call)
