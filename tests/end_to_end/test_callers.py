"""Who a credential belongs to, asked by every credential there is."""

from __future__ import annotations

import pytest
from tests.end_to_end import examples
from tests.end_to_end.callers import Caller, bearer
from tests.end_to_end.examples import Example
from tests.stack import ADMIN_TOKEN

from vumeter_server.access.roles import LIVE_ROLES, Role

GET_CALLER = "vumeter.access.v1.AccessService/GetCaller"
EXPIRES_US = 4_102_444_800_000_000
OF_PATHS = [
    each for each in examples.load_examples() if each.family == "access" and not each.is_typed
]


@pytest.mark.parametrize("example", OF_PATHS, ids=[each.name for each in OF_PATHS])
def test_the_path_answers_as_its_example(anybody: Caller, example: Example) -> None:
    both = {**bearer(anybody.stack.make_key("Whose")), "x-admin-token": ADMIN_TOKEN}
    examples.ask(anybody.showing(both), example)


@pytest.mark.parametrize("role", Role)
def test_a_key_is_told_what_it_is_on_both_apis(anybody: Caller, role: Role) -> None:
    tenant = "tenant_1" if role in LIVE_ROLES else None
    key = anybody.stack.make_key("Whose", role, EXPIRES_US, tenant, "Anrufe – 2")
    caller = anybody.showing(bearer(key))
    assert caller.get("/v1/caller").body == {
        "data": {
            "role": role.value,
            "keyId": key.key_id,
            "organization": "Whose",
            "tenantId": tenant,
            "label": "Anrufe – 2",
            "expiresAt": "2100-01-01T00:00:00Z",
        }
    }
    typed = {
        "role": role.value,
        "key_id": key.key_id,
        "organization": "Whose",
        "label": "Anrufe – 2",
        "expire_time": "2100-01-01T00:00:00Z",
        **({"tenant_id": tenant} if tenant else {}),
    }
    assert caller.rpc(GET_CALLER, {}).body == {"caller": typed}


def test_a_key_that_never_expires_and_is_bound_to_no_tenant(anybody: Caller) -> None:
    caller = anybody.showing(bearer(anybody.stack.make_key("Whose")))
    told = caller.get("/v1/caller").body["data"]
    assert (told["tenantId"], told["label"], told["expiresAt"]) == (None, None, None)


@pytest.mark.parametrize("secret", ["", "Bearer vmk_aaaaaaaaaaaaaaaaaaaa.x", "Bearer x"])
def test_without_a_valid_credential_it_is_401(anybody: Caller, secret: str) -> None:
    answer = anybody.showing({"authorization": secret} if secret else {}).get("/v1/caller")
    assert (answer.status, answer.body["code"]) == (401, 16)
