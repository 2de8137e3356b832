"""The room's socket: there from the first moment, and without delay for small answers."""

import socket

import pytest

from genlab.core.program import InputError
from genlab.web.server import bound_socket


def test_who_asks_before_the_page_is_served_waits_instead_of_being_sent_away():
    with bound_socket(0) as bound:
        address = bound.getsockname()
        assert address[0] == "127.0.0.1"
        with socket.create_connection(address, timeout=60):
            pass
        with pytest.raises(InputError, match="is taken"):
            bound_socket(address[1])


def test_asyncio_can_tell_that_the_socket_is_of_tcp_and_sends_small_answers_at_once():
    with bound_socket(0) as bound:
        assert bound.proto == socket.IPPROTO_TCP


def test_a_port_that_is_none_is_named():
    with pytest.raises(InputError, match="port 70000 is taken or none"):
        bound_socket(70_000)
