"""Who calls, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import orjson
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.descriptor import ServiceDescriptor

from vumeter.access.v1 import access_rest_pb2 as pb
from vumeter_server.access.store import KeyLookup, SignInCodes
from vumeter_server.api import json_body
from vumeter_server.api.call import Call
from vumeter_server.callers.query import ADMIN_TOKEN, key_of
from vumeter_server.callers.sign_in import sign_in
from vumeter_server.times.rfc3339 import format_rfc3339


class SignInBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of signing in."""

    code: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessRestService:
    """Serves vumeter.access.v1.AccessRestService."""

    keys: KeyLookup
    codes: SignInCodes

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

    async def SignIn(self, request: pb.AccessRestServiceSignInRequest, call: Call) -> HttpBody:
        """Exchange the code of a link for keys."""
        body = json_body.decode(request.body, SignInBody)
        keys = [
            {
                "key": each.key.bearer,
                "role": each.role.value,
                "expiresAt": format_rfc3339(each.expires_us),
            }
            for each in await sign_in(self.codes, body.code)
        ]
        return json_body.http_body(orjson.dumps({"data": {"keys": keys}}))
