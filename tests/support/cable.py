"""A cable between a client and a broker that can be cut, pulled out, held and clad in TLS."""

from __future__ import annotations

import asyncio
import ssl
import threading
from urllib.parse import urlsplit


class Cable:
    """Listens on a port of loopback; bytes go on to the broker and back."""

    def __init__(self, broker: str, context: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(broker)
        self.password = parts.password or ""
        self._there, self._context = parts.port or 5672, context
        self._loop = asyncio.new_event_loop()
        self._ends: list[asyncio.StreamWriter] = []
        self._passing = asyncio.Event()
        self._passing.set()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._server = self._do(self._listen(0))
        self._port = self._server.sockets[0].getsockname()[1]
        scheme = "amqps" if context else "amqp"
        login = f"{parts.username}:{parts.password}"
        self.url = f"{scheme}://{login}@localhost:{self._port}{parts.path or '/'}"

    def __enter__(self) -> Cable:
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go()
        self.pull_out()
        self._do(self._quiet())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        """Reset every connection; new ones may be made."""
        self._do(self._cut())

    def pull_out(self) -> None:
        """Reset every connection, and refuse new ones."""
        self._do(self._shut())
        self.cut()

    def plug_in(self) -> None:
        """Take connections again."""
        self._server = self._do(self._listen(self._port))

    def hold(self) -> None:
        """Pass nothing on, in silence."""
        self._loop.call_soon_threadsafe(self._passing.clear)

    def let_go(self) -> None:
        """Pass everything on."""
        self._loop.call_soon_threadsafe(self._passing.set)

    def _do(self, what):  # type: ignore[no-untyped-def]
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(10)

    async def _listen(self, port: int) -> asyncio.Server:
        return await asyncio.start_server(self._accept, "127.0.0.1", port, ssl=self._context)

    async def _shut(self) -> None:
        # In the loop's own thread: a server counts its connections, and must not miscount.
        self._server.close()

    async def _cut(self) -> None:
        while self._ends:
            self._ends.pop().transport.abort()

    async def _quiet(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for one in others:
            one.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", self._there)
        self._ends += [writer, there[1]]
        await asyncio.gather(self._pass(reader, there[1]), self._pass(there[0], writer))

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                await self._passing.wait()
                target.write(data)
                await target.drain()
        except OSError:
            pass
        finally:
            target.close()
