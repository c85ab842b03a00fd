"""Signing in and out: what opens what, where the credential is, and when it no longer counts."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from tests.dashboard.browser import Visitor
from tests.dashboard.conftest import Visit
from tests.stack import ADMIN_TOKEN, Stack

from vumeter_server.access.keys import NewKey
from vumeter_server.access.roles import Role


def test_a_key_opens_the_pages_of_its_organization(visit: Visit, demo_key: NewKey) -> None:
    visitor = visit()
    visitor.open()
    expect(visitor.page.get_by_role("heading", name="Sign in")).to_be_visible()
    visitor.sign_in(demo_key.bearer)
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text("Metrics")
    for page in ("Session", "Simulations"):
        visitor.page.get_by_role("link", name=page).click()
        expect(visitor.page.get_by_role("heading", level=1)).to_have_text(page)
    visitor.page.get_by_role("link", name="Live").click()
    expect(visitor.page.get_by_text("This page needs the admin token")).to_be_visible()


@pytest.mark.parametrize("role", ["token", "operator", "operator of a tenant"])
def test_the_admin_token_and_operators_open_live(visit: Visit, demo: Stack, role: str) -> None:
    secret = ADMIN_TOKEN
    if role != "token":
        tenant = "tenant_1" if role.endswith("tenant") else None
        secret = demo.make_key("demo", Role.OPERATOR, tenant_id=tenant).bearer
    visitor = visit()
    visitor.open()
    visitor.sign_in(secret)
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text("Live")
    expect(visitor.page.locator(".state.live")).to_be_visible()
    assert list(filter(visitor.stored().get, visitor.stored())) == ["live"]


def test_what_no_one_knows_does_not_sign_in(visit: Visit, demo: Stack) -> None:
    visitor = visit()
    visitor.open()
    for secret in ("x", "vmk_aaaaaaaaaaaaaaaaaaaa.secret"):
        visitor.page.get_by_label("Key or admin token").fill(secret)
        visitor.page.get_by_role("button", name="Sign in").click()
        expect(visitor.page.get_by_role("alert")).to_have_text(
            "The server does not know this key or token."
        )
    assert visitor.stored() == {}


def test_the_credential_is_in_the_tab_alone(visit: Visit, demo_key: NewKey) -> None:
    visitor = visit()
    sent: list[str] = []
    visitor.page.on("request", lambda request: sent.append(request.url))
    visitor.open()
    visitor.sign_in(demo_key.bearer)
    visitor.panel("The whole range").wait_for()
    assert visitor.stored()["organization"]["secret"] == demo_key.bearer
    assert visitor.context.cookies() == []
    assert visitor.page.evaluate("localStorage.length") == 0
    assert not [url for url in [*sent, visitor.page.url] if demo_key.secret in url]
    other = visitor.context.new_page()
    other.goto(visitor.page.url)
    expect(other.get_by_role("heading", name="Sign in")).to_be_visible()


def test_signing_out_forgets(analyst: Visitor) -> None:
    analyst.page.get_by_role("button", name="Sign out").click()
    expect(analyst.page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert analyst.stored() == {}
    analyst.page.reload()
    expect(analyst.page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_revoked_key_has_to_be_replaced(visit: Visit, demo: Stack) -> None:
    key = demo.make_key("demo", Role.ADMIN)
    visitor = visit()
    visitor.open("#/metrics")
    visitor.sign_in(key.bearer)
    visitor.panel("The whole range").wait_for()
    place = visitor.page.url
    demo.revoke_key(key)
    # A key is known for half a second more.
    visitor.page.wait_for_timeout(1000)
    visitor.choice("Compare with").select_option("previous")
    expect(visitor.page.get_by_text("The credential is no longer valid.")).to_be_visible()
    assert visitor.stored() == {}
    visitor.sign_in(demo.make_key("demo", Role.ADMIN).bearer)
    visitor.panel("The whole range").wait_for()
    assert visitor.page.url == f"{place}&compare=previous"


def test_a_revoked_operator_sees_no_more_live_figures(visit: Visit, demo: Stack) -> None:
    key = demo.make_key("demo", Role.OPERATOR)
    visitor = visit()
    visitor.open()
    visitor.sign_in(key.bearer)
    expect(visitor.page.locator(".state.live")).to_be_visible()
    demo.revoke_key(key)
    expect(visitor.page.get_by_text("The credential is no longer valid.")).to_be_visible(
        timeout=20_000
    )


def test_a_key_that_may_not_query_is_told_so(visit: Visit, demo: Stack) -> None:
    visitor = visit()
    visitor.open()
    visitor.sign_in(demo.make_key("demo", Role.MEMBER).bearer)
    expect(visitor.page.get_by_role("alert").first).to_contain_text("Insufficient permissions")
