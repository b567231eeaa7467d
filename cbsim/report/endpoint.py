"""The HTTP endpoint of a bus that is served: how it stands, and faults on demand."""

from __future__ import annotations

import hmac
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any, Literal, Protocol

from cbsim.errors import CbsimError

__all__ = ["Endpoint", "Faults", "Health"]

_LONGEST_BODY = 65536


class Faults(Protocol):
    """What a broker with faults on demand offers."""

    def apply(self, name: str, **parameters: Any) -> int:
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
    without, only for this machine; never for a web page. Port 0 is any free one. Raises CbsimError
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
            self._server = _Server((host, port), _Handler)
        except OSError as error:
            raise CbsimError(
                f"health endpoint at {host}:{port}: {error.strerror}; choose a --health-port"
            ) from None
        self._server.health, self._server.faults, self._server.token = health, faults, token
        shown = "127.0.0.1" if host == "0.0.0.0" else host
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


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    health: Health
    faults: Faults | None
    token: str | None

    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing: a client that went away is no error of ours."""


class _RefusedError(Exception):
    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version, sys_version = "cbsim", ""
    timeout = 10

    def do_GET(self) -> None:
        """Answer with the health, or the active faults."""
        if self.path == "/health":
            health = self.server.health
            status = HTTPStatus.OK if health.status == "ready" else HTTPStatus.SERVICE_UNAVAILABLE
            self._answer(status, asdict(health))
        else:
            self._try(lambda faults: {"active": faults.active()})

    def do_POST(self) -> None:
        """Do a fault."""
        self._try(self._fault)

    def _fault(self, faults: Faults) -> dict[str, object]:
        name, parameters = self._asked()
        try:
            return {"fault": name, "affected": faults.apply(name, **parameters)}
        except CbsimError as error:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, str(error)) from None

    def _try(self, act: Callable[[Faults], Mapping[str, object]]) -> None:
        try:
            if self.path != "/faults":
                raise _RefusedError(HTTPStatus.NOT_FOUND, "expected /health or /faults")
            self._admit()
            if self.server.faults is None:
                raise _RefusedError(
                    HTTPStatus.CONFLICT, "this broker has no faults on demand; the embedded one has"
                )
            said = act(self.server.faults)
        except _RefusedError as error:
            self._answer(error.status, {"error": str(error)})
        else:
            self._answer(HTTPStatus.OK, said)

    def _admit(self) -> None:
        token, given = self.server.token, self.headers.get("Authorization", "")
        if token is not None:
            if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
                raise _RefusedError(HTTPStatus.FORBIDDEN, "expected the token of this server")
        elif not ip_address(self.client_address[0]).is_loopback:
            raise _RefusedError(HTTPStatus.FORBIDDEN, "faults from other machines need a token")
        if "Origin" in self.headers:
            raise _RefusedError(HTTPStatus.FORBIDDEN, "web pages may not ask for faults")

    def _asked(self) -> tuple[str, dict[str, Any]]:
        expected = 'expected a JSON object such as {"fault": "stall", "seconds": 5}'
        try:
            length = int(self.headers.get("Content-Length", ""))
            if not 0 <= length <= _LONGEST_BODY:
                raise ValueError
            asked = json.loads(self.rfile.read(length))
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
