"""Addresses: what a host means, and whether somebody can listen there."""

from __future__ import annotations

import socket

import pytest

from vumeter_server.runtime.addresses import Address, check_free, ip_of
from vumeter_server.runtime.start_error import StartError


def test_an_address_is_written_as_in_a_url() -> None:
    assert str(Address(host="127.0.0.1", port=8080)) == "127.0.0.1:8080"
    assert str(Address(host="::1", port=8080)) == "[::1]:8080"


def test_a_server_that_listens_everywhere_is_reached_on_loopback() -> None:
    assert str(Address(host="0.0.0.0", port=8080).from_here) == "127.0.0.1:8080"
    assert str(Address(host="::", port=8080).from_here) == "[::1]:8080"
    assert str(Address(host="10.1.2.3", port=8080).from_here) == "10.1.2.3:8080"


def test_a_host_name_becomes_an_ip_address() -> None:
    assert ip_of("localhost") in {"127.0.0.1", "::1"}
    assert ip_of("10.1.2.3") == "10.1.2.3"
    with pytest.raises(StartError, match=r"the host nowhere\.invalid is unknown"):
        ip_of("nowhere.invalid")


def test_a_taken_port_is_named_together_with_what_it_is_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=f"gRPC cannot listen on 127.0.0.1:{port}: address"):
            check_free(Address(host="127.0.0.1", port=port), "gRPC")
    check_free(Address(host="127.0.0.1", port=port), "gRPC")
    check_free(Address(host="127.0.0.1", port=0), "gRPC")
