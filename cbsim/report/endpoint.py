"""The HTTP endpoint of a bus that is served: how it stands, and faults on demand."""

from __future__ import annotations

import hmac
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

import orjson

from cbsim.errors import CbsimError
from cbsim.printable import printable

__all__ = ["Endpoint", "Faults", "Health"]

_LONGEST_BODY = 65536
_MOST, _PATIENCE = 50, 10.0
"""How many clients there may be at a time, and how many seconds each may take."""
_OF_NOBODY = re.compile(r"[a-z0-9_-]+|[a-z0-9_.-]+\.internal")
"""Names that nobody can have on the Internet."""
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Every address is no address to connect to."""


class Faults(Protocol):
    """What a broker with faults on demand offers."""

    def apply(self, name: str, /, **parameters: Any) -> int:
        """Do it, and say how many it was done to; raises CbsimError for what it does not know."""

    def active(self) -> list[str]:
        """What is in force or waits for its moment."""


@dataclass(slots=True)
class Health:
    """How a served bus stands; the counts are at most a second old."""

    status: Literal["starting", "ready"]
    scenario: str
    broker: str
    """Its URL, without a password."""
    sent: int = 0
    confirmed: int = 0
    rate: float = 0.0
    """Messages sent in the last second."""
    behind: float = 0.0
    """How far it is behind schedule, in seconds."""
    queues: dict[str, dict[str, float | None]] = field(default_factory=dict)
    """What is ready and unacked in each queue that is watched, its consumers, and its lag (s)."""


class Endpoint:
    """Serves `/health` and `/faults` in a thread, for as long as the context lasts.

    `GET /health` answers with JSON, and status 200 when the bus is ready or 503 when not.
    `POST /faults` takes an object such as `{"fault": "stall", "seconds": 5}`, `GET /faults` shows
    the active ones. With a token, faults are for whom sends `Authorization: Bearer TOKEN`;
    without, only for this machine. Nothing is for a web page, and nothing is told under a name that
    somebody on the Internet may have given this machine. Port 0 is any free one. Raises CbsimError
    when the port cannot be had.
    """

    def __init__(
        self,
        health: Health,
        faults: Faults | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str | None = None,
    ) -> None:
        try:
            self._server = _Server(host, port)
        except (OSError, OverflowError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or error
            raise CbsimError(
                f"health endpoint at {_bracketed(host)}:{port}: {why}; choose a --health-port"
            ) from None
        self._server.health, self._server.faults, self._server.token = health, faults, token
        shown = _bracketed(_LOOPBACK.get(host, host))
        self.url = f"http://{shown}:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="cbsim-endpoint", daemon=True
        )

    def __enter__(self) -> Endpoint:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    health: Health
    faults: Faults | None
    token: str | None

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self._since: dict[socket.socket, float] = {}
        """The clients that are there, the oldest first, and since when (monotonic)."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        self.address_family = min(family for family, *_ in found)
        super().__init__((host, port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread; where there are too many, the oldest has to go."""
        self._since[request] = time.monotonic()
        self._end_before(time.monotonic() - _PATIENCE, most=_MOST)
        super().process_request(request, client_address)

    def service_actions(self) -> None:
        """A few times a second: end what takes too long."""
        self._end_before(time.monotonic() - _PATIENCE, most=_MOST)

    def shutdown_request(self, request: Any) -> None:
        """The client is served."""
        self._since.pop(request, None)
        super().shutdown_request(request)

    def _end_before(self, moment: float, most: int) -> None:
        there = list(self._since.items())
        for number, (client, since) in enumerate(there):
            if since < moment or number < len(there) - most:
                self._since.pop(client, None)
                with suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)

    def named(self, host: str) -> bool:
        """Whether a Host header names this machine as nobody else on the Internet could."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
            if name == self.host.lower() or _OF_NOBODY.fullmatch(name):
                return True
            return bool(ip_address(name))
        except ValueError:
            return False

    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing: a client that went away is no error of ours."""


_Answer = tuple[HTTPStatus, Mapping[str, object]]


class _RefusedError(Exception):
    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version, sys_version = "cbsim", ""
    timeout = _PATIENCE

    def do_GET(self) -> None:
        """Answer with the health, or the active faults."""
        if self.path == "/health":
            self._try(self._health)
        else:
            self._try(lambda: self._of_faults(lambda faults: {"active": faults.active()}))

    def do_POST(self) -> None:
        """Do a fault."""
        self._try(lambda: self._of_faults(self._fault))

    def _health(self) -> _Answer:
        health = self.server.health
        ready = health.status == "ready"
        return HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE, asdict(health)

    def _fault(self, faults: Faults) -> dict[str, object]:
        name, parameters = self._asked()
        try:
            return {"fault": name, "affected": faults.apply(name, **parameters)}
        except CbsimError as error:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, str(error)) from None

    def _of_faults(self, act: Callable[[Faults], Mapping[str, object]]) -> _Answer:
        if self.path != "/faults":
            raise _RefusedError(HTTPStatus.NOT_FOUND, "expected /health or /faults")
        self._admit()
        if self.server.faults is None:
            raise _RefusedError(
                HTTPStatus.CONFLICT, "this broker has no faults on demand; the embedded one has"
            )
        return HTTPStatus.OK, act(self.server.faults)

    def _try(self, act: Callable[[], _Answer]) -> None:
        try:
            if "Origin" in self.headers:
                raise _RefusedError(HTTPStatus.FORBIDDEN, "this is not for web pages")
            host = self.headers.get("Host")
            if host is not None and not self.server.named(host):
                raise _RefusedError(
                    HTTPStatus.FORBIDDEN, "expected an address or a name without dots in Host"
                )
            status, said = act()
        except _RefusedError as error:
            status, said = error.status, {"error": printable(error)}
        except OSError:
            raise  # the client is gone
        except Exception as error:
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            said = {"error": f"it failed: {printable(repr(error))}"}
        self._answer(status, said)

    def _admit(self) -> None:
        token, given = self.server.token, self.headers.get("Authorization", "")
        if token is not None:
            if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
                raise _RefusedError(HTTPStatus.FORBIDDEN, "expected the token of this server")
        elif not ip_address(self.client_address[0]).is_loopback:
            raise _RefusedError(HTTPStatus.FORBIDDEN, "faults from other machines need a token")

    def _asked(self) -> tuple[str, dict[str, Any]]:
        expected = 'expected a JSON object such as {"fault": "stall", "seconds": 5}'
        try:
            length = int(self.headers.get("Content-Length", ""))
            if not 0 <= length <= _LONGEST_BODY:
                raise ValueError
            asked = orjson.loads(self.rfile.read(length))
            name = asked.pop("fault")
            if not isinstance(name, str):
                raise TypeError
        except (ValueError, TypeError, KeyError, AttributeError):
            raise _RefusedError(HTTPStatus.BAD_REQUEST, expected) from None
        return name, asked

    def _answer(self, status: HTTPStatus, said: Mapping[str, object]) -> None:
        body = json.dumps(said).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Keeps no log."""
