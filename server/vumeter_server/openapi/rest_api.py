"""The OpenAPI document, and the page that shows it with its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from google.api.httpbody_pb2 import HttpBody
from google.protobuf.descriptor import ServiceDescriptor

from vumeter.openapi.v1 import openapi_rest_pb2 as pb
from vumeter_server.api.call import Call
from vumeter_server.api.web_pages import (
    ASK_AGAIN,
    IMMUTABLE,
    POLICY,
    WebFile,
    WebPage,
    generated,
    load_file,
    load_page,
    send,
)
from vumeter_server.errors import NotFound

# Swagger UI has its icons in its style sheet.
DOCS_POLICY: Final = f"{POLICY}; img-src 'self' data:"


def load_docs() -> tuple[WebFile, WebPage]:
    """Read the document, and the page with its files; raises FileNotFoundError."""
    here = Path(__file__).resolve().parent
    document = load_file(generated("openapi.json", here / "openapi.json"))
    return document, load_page(generated("docs", here / "files"))


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenApiRestService:
    """Serves vumeter.openapi.v1.OpenApiRestService."""

    document: WebFile
    files: WebPage

    @property
    def service(self) -> ServiceDescriptor:
        """The service's descriptor."""
        return pb.DESCRIPTOR.services_by_name["OpenApiRestService"]

    @property
    def field_names(self) -> Mapping[str, str]:
        """Fields are spelled as in the protos."""
        return {}

    async def GetDocument(self, request: pb.GetDocumentRequest, call: Call) -> HttpBody:
        """Answer the document."""
        return await send(self.document, ASK_AGAIN, call)

    async def GetPage(self, request: pb.GetPageRequest, call: Call) -> HttpBody:
        """Answer the page."""
        return await send(self.files.page, ASK_AGAIN, call, policy=DOCS_POLICY)

    async def GetAsset(self, request: pb.GetAssetRequest, call: Call) -> HttpBody:
        """Answer a file of the page."""
        found = self.files.assets.get(request.name)
        if found is None:
            raise NotFound
        return await send(found, IMMUTABLE, call, policy=DOCS_POLICY)
