"""Who calls, for gRPC callers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf.descriptor import ServiceDescriptor

from vumeter.access.v1 import access_pb2 as pb
from vumeter_server.access.store import KeyLookup, SignInCodes
from vumeter_server.api.call import Call
from vumeter_server.api.times import timestamp
from vumeter_server.callers.query import ADMIN_TOKEN, key_of
from vumeter_server.callers.sign_in import sign_in


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessService:
    """Serves vumeter.access.v1.AccessService."""

    keys: KeyLookup
    codes: SignInCodes

    @property
    def service(self) -> ServiceDescriptor:
        """The service's descriptor."""
        return pb.DESCRIPTOR.services_by_name["AccessService"]

    @property
    def field_names(self) -> Mapping[str, str]:
        """Fields are spelled as the core spells them."""
        return {}

    async def GetCaller(self, request: pb.GetCallerRequest, call: Call) -> pb.GetCallerResponse:
        """Say whose the credential is."""
        key = await key_of(self.keys, call.known_caller)
        if key is None:
            return pb.GetCallerResponse(caller=pb.Caller(role=ADMIN_TOKEN))
        caller = pb.Caller(
            role=key.role.value,
            key_id=key.key_id,
            organization=key.organization,
            tenant_id=key.tenant_id or "",
            label=key.label or "",
        )
        if key.expires_us is not None:
            caller.expire_time.CopyFrom(timestamp(key.expires_us))
        return pb.GetCallerResponse(caller=caller)

    async def SignIn(self, request: pb.SignInRequest, call: Call) -> pb.SignInResponse:
        """Exchange the code of a link for keys."""
        return pb.SignInResponse(
            keys=[
                pb.SignInKey(
                    key=each.key.bearer,
                    role=each.role.value,
                    expire_time=timestamp(each.expires_us),
                )
                for each in await sign_in(self.codes, request.code)
            ]
        )
