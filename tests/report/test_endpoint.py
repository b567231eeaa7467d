"""The health endpoint: who may read it, and what never keeps it from answering."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from cbsim.bus.embedded import EmbeddedBroker
from cbsim.errors import CbsimError
from cbsim.report.endpoint import Endpoint, Health
from tests.support.patience import until

HEALTH = Health("ready", "none", "amqp://cb@127.0.0.1/")


def said(endpoint: Endpoint, request: str) -> tuple[int, dict[str, object]]:
    """What is answered to a request, word for word."""
    at = urlsplit(endpoint.url)
    with socket.create_connection((at.hostname or "", at.port or 0), 10) as client:
        client.sendall(request.encode())
        answer = b"".join(iter(lambda: client.recv(65536), b"")).decode()
    head, _, body = answer.partition("\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def fault(body: str) -> str:
    return f"POST /faults HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n{body}"


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1", 200), ("127.0.0.1:5005", 200), ("[::1]:5005", 200), ("localhost:1", 200),
     ("cbsim:5005", 200), ("bus.internal", 200), ("evil.example", 403), ("evil.example:5005", 403),
     ("127.0.0.1.evil.example", 403), ("a b", 403), ("[::1", 403), ("", 403)],
)  # fmt: skip
def test_a_web_page_cannot_read_it_under_a_name_of_its_own(host: str, status: int) -> None:
    with Endpoint(HEALTH) as endpoint:
        assert said(endpoint, f"GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n")[0] == status
        page = f"GET /health HTTP/1.1\r\nHost: {host}\r\nOrigin: http://evil.example\r\n\r\n"
        assert said(endpoint, page)[0] == 403
        assert said(endpoint, "GET /health HTTP/1.0\r\n\r\n")[0] == 200


def test_the_name_that_it_was_given_is_its_own() -> None:
    with Endpoint(HEALTH, host="localhost") as endpoint:
        assert endpoint.url.startswith("http://localhost:")
        assert said(endpoint, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")[0] == 200


@pytest.mark.parametrize(("host", "shown"), [("::1", "[::1]"), ("::", "[::1]"),
                                             ("0.0.0.0", "127.0.0.1")])  # fmt: skip
def test_any_kind_of_address(host: str, shown: str) -> None:
    with Endpoint(HEALTH, host=host) as endpoint:
        assert endpoint.url.startswith(f"http://{shown}:")
        assert said(endpoint, "GET /health HTTP/1.1\r\nHost: [::1]\r\n\r\n")[0] == 200


def test_an_address_that_cannot_be() -> None:
    with pytest.raises(CbsimError, match=r"health endpoint at 300\.0\.0\.1:0: "):
        Endpoint(HEALTH, host="300.0.0.1")
    with Endpoint(HEALTH, host="::1") as endpoint:
        port = urlsplit(endpoint.url).port or 0
        with pytest.raises(CbsimError, match=r"health endpoint at \[::1\]:\d+: Address already in"):
            Endpoint(HEALTH, host="::1", port=port)


@pytest.mark.parametrize("body", [
    '{"fault": "stall", "name": "x"}', '{"fault": "stall", "self": 1}', '{"fault": "stall", "": 1}',
    '{"fault": "stall", "seconds": ' + "[" * 30000 + "]" * 30000 + "}", "[" * 60000,
    '{"fault": "stall", "seconds": ' + "9" * 5000 + "}", '{"fault": "stall", "seconds": NaN}',
    '{"fault": "stall", "seconds": {"a": []}}', '{"fault": "\\ud800"}',
    '{"fault": "st\\u001ball"}',
    '{"fault": "apply", "name": "stall"}', '{"fault": "__init__"}',
    '{"fault": "stall", "seconds": "1e999"}',
])  # fmt: skip
def test_a_fault_that_cannot_be_is_answered(body: str) -> None:
    with EmbeddedBroker() as broker, Endpoint(HEALTH, broker.faults) as endpoint:
        status, answer = said(endpoint, fault(body))
        assert status == 400
        assert str(answer["error"]).isprintable()
        assert said(endpoint, fault('{"fault": "clear"}')) == (
            200,
            {"fault": "clear", "affected": 0},
        )


def test_what_breaks_in_a_fault_is_answered_too() -> None:
    class Broken:
        def apply(self, name: str, /, **_: object) -> int:
            raise ZeroDivisionError(name)

        def active(self) -> list[str]:
            raise ZeroDivisionError

    with Endpoint(HEALTH, Broken()) as endpoint:
        assert said(endpoint, fault('{"fault": "stall"}'))[0] == 500
        assert said(endpoint, "GET /faults HTTP/1.0\r\n\r\n")[0] == 500


@pytest.mark.parametrize("request_line", ["", "GET", "GET /health HTTP/9.9", "BREW /pot HTTP/1.1",
                                          "GET " + "/" * 70000 + " HTTP/1.1"])  # fmt: skip
def test_what_is_no_request_does_it_no_harm(request_line: str) -> None:
    with Endpoint(HEALTH) as endpoint:
        at = urlsplit(endpoint.url)
        with socket.create_connection((at.hostname or "", at.port or 0), 10) as client:
            client.sendall(request_line.encode() + b"\r\n\r\n")
        assert said(endpoint, "GET /health HTTP/1.0\r\n\r\n")[0] == 200


def test_who_asks_nothing_keeps_nobody_from_asking() -> None:
    with Endpoint(HEALTH) as endpoint, ExitStack() as held:
        at = urlsplit(endpoint.url)
        silent = [
            held.enter_context(socket.create_connection((at.hostname or "", at.port or 0), 10))
            for _ in range(200)
        ]
        until(lambda: said(endpoint, "GET /health HTTP/1.0\r\n\r\n")[0] == 200)
        assert silent[0].recv(1) == b""
