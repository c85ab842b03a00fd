"""Who calls, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.descriptor import ServiceDescriptor

from vumeter.access.v1 import access_rest_pb2 as pb
from vumeter_server.access.store import KeyLookup
from vumeter_server.api import json_body
from vumeter_server.api.call import Call
from vumeter_server.callers.query import ADMIN_TOKEN, key_of
from vumeter_server.times.rfc3339 import format_rfc3339


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessRestService:
    """Serves vumeter.access.v1.AccessRestService."""

    keys: KeyLookup

    @property
    def service(self) -> ServiceDescriptor:
        """The service's descriptor."""
        return pb.DESCRIPTOR.services_by_name["AccessRestService"]

    @property
    def field_names(self) -> Mapping[str, str]:
        """There are no fields."""
        return {}

    async def GetCaller(
        self, request: pb.AccessRestServiceGetCallerRequest, call: Call
    ) -> HttpBody:
        """Say whose the credential is."""
        key = await key_of(self.keys, call.known_caller)
        expires_us = None if key is None else key.expires_us
        answer = {
            "role": ADMIN_TOKEN if key is None else key.role.value,
            "keyId": None if key is None else key.key_id,
            "organization": None if key is None else key.organization,
            "tenantId": None if key is None else key.tenant_id,
            "label": None if key is None else key.label,
            "expiresAt": None if expires_us is None else format_rfc3339(expires_us),
        }
        return json_body.http_body(orjson.dumps({"data": answer}))
