"""The embedded broker as its users see it: started in a thread, at a URL, with faults on demand."""

from __future__ import annotations

import asyncio
import secrets
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Self, TypeVar
from urllib.parse import quote

from cbsim.bus.embedded.connection import Connection
from cbsim.bus.embedded.faults import Faults
from cbsim.bus.embedded.login import Doorkeeper
from cbsim.bus.embedded.quota import Quota
from cbsim.bus.embedded.server import Server
from cbsim.bus.queue_state import QueueState, Reading
from cbsim.errors import BrokerError

__all__ = ["EmbeddedBroker"]

_T = TypeVar("_T")
_HANDSHAKE = 10.0
"""Seconds that TLS may take."""
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Every address is no address to connect to."""


class EmbeddedBroker:
    """An AMQP 0-9-1 broker in this process, in memory.

    A context manager, or `start` and `stop`. `port` 0 takes a free one; without `password` there is
    a random one. `heartbeat` is what clients are offered, seconds, 0 for none; `quota` what they
    may take in all.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        user: str = "cb",
        password: str | None = None,
        vhost: str = "/",
        tls: ssl.SSLContext | None = None,
        heartbeat: int = 60,
        quota: Quota | None = None,
    ) -> None:
        self.host, self.port, self.user, self.vhost = host, port, user, vhost
        self.password = secrets.token_urlsafe(16) if password is None else password
        self._tls, self._heartbeat, self._quota = tls, heartbeat, quota or Quota()
        self.faults = Faults(self.call)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where clients on this machine connect, with user and password.

        The virtual host is always spelt out: by the book, the path `/` is the one of no name.
        """
        host = _LOOPBACK.get(self.host, self.host)
        host = f"[{host}]" if ":" in host else host
        return (
            f"{'amqps' if self._tls else 'amqp'}://{quote(self.user, safe='')}:"
            f"{quote(self.password, safe='')}@{host}:{self.port}/{quote(self.vhost, safe='')}"
        )

    def start(self) -> Self:
        """Listen; raises BrokerError when the address cannot be had."""
        if self._thread is not None:
            raise BrokerError("the embedded broker is started already")
        ready: Future[int] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(ready,), name="cbsim-broker", daemon=True
        )
        self._thread.start()
        try:
            self.port = ready.result()
        except (OSError, OverflowError, ValueError) as error:
            self._thread.join()
            self._thread = None
            why = getattr(error, "strerror", None) or error
            raise BrokerError(
                f"the embedded broker cannot listen on {self.host}:{self.port}: {why}"
            ) from None
        return self

    def stop(self) -> None:
        """Cut every connection and give everything back."""
        thread, loop = self._thread, self._loop
        if thread is None or loop is None:
            return
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        self._thread = self._loop = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def connections(self) -> list[str]:
        """The connections, by the names that clients give them, or else by their addresses."""
        return self.call(
            lambda server: [one.given_name or one.name for one in server.connections if one.user]
        )

    @property
    def queues(self) -> dict[str, QueueState]:
        """What each queue holds."""
        return self.call(lambda server: server.states())

    @property
    def readings(self) -> dict[str, Reading]:
        """What each queue holds and did."""
        return self.call(lambda server: server.readings())

    @property
    def memory(self) -> int:
        """About how many bytes messages take now, those that are coming in among them."""
        return self.call(lambda server: server.vhost.memory + server.coming)

    def call(self, function: Callable[[Server], _T]) -> _T:
        """Run a function of the broker's inside in its loop, and wait for what it returns.

        Raises BrokerError when the broker is not running.
        """
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            raise BrokerError("the embedded broker is not running")
        if threading.current_thread() is thread:
            return function(self._server)
        done: Future[_T] = Future()

        def work() -> None:
            try:
                done.set_result(function(self._server))
            except BaseException as error:
                done.set_exception(error)

        loop.call_soon_threadsafe(work)
        return done.result(30)

    def _run(self, ready: Future[int]) -> None:
        loop = asyncio.new_event_loop()
        try:
            self._server = Server(
                loop,
                Doorkeeper(self.user, self.password, self._quota.logins, loop.time),
                self.vhost,
                self._quota,
                self._heartbeat,
            )
            try:
                listener = loop.run_until_complete(
                    loop.create_server(
                        lambda: Connection(self._server),
                        self.host,
                        self.port,
                        ssl=self._tls,
                        ssl_handshake_timeout=_HANDSHAKE if self._tls else None,
                        backlog=1024,
                    )
                )
            except Exception as error:  # whatever it is, `start` must not wait for ever
                ready.set_exception(error)
                return
            self._loop = loop
            ready.set_result(listener.sockets[0].getsockname()[1])
            loop.run_forever()
            listener.close()
            self._server.close()
            loop.run_until_complete(_until(lambda: not self._server.connections))
        finally:
            loop.close()


async def _until(done: Callable[[], bool]) -> None:
    """Let the loop do what is due, a hundred turns at most."""
    for _ in range(100):
        if done():
            return
        await asyncio.sleep(0)
