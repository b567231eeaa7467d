"""A private RabbitMQ node from the installed rabbitmq-server, and the broker that is at hand.

`python -m cbsim.bus.local COMMAND...` runs a command with CBSIM_BROKER_URL set: to what it was, to
a broker that answers on localhost, or to a private node that ends with the command.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cbsim.bus.connection import connect
from cbsim.errors import BrokerError, CbsimError

__all__ = ["at_hand", "node"]

_LOCALHOST = "amqp://guest:guest@127.0.0.1:5672/"
_SERVERS = ("/usr/lib/rabbitmq/bin", "/usr/local/sbin", "/opt/homebrew/sbin", "/usr/sbin")


@contextmanager
def at_hand() -> Iterator[str]:
    """The URL of the broker to use; raises BrokerError when there is none."""
    given = os.environ.get("CBSIM_BROKER_URL")
    if given:
        yield given
        return
    try:
        connect(_LOCALHOST).close()
    except BrokerError:
        with node() as url:
            yield url
    else:
        yield _LOCALHOST


@contextmanager
def node(patience: float = 90.0) -> Iterator[str]:
    """The URL of a RabbitMQ node of our own: its own ports, data, cookie, user and password.

    Raises BrokerError when rabbitmq-server is not installed or does not start.
    """
    server = next((f"{folder}/rabbitmq-server" for folder in _SERVERS
                   if Path(folder, "rabbitmq-server").exists()), None)  # fmt: skip
    server = server or shutil.which("rabbitmq-server")
    if server is None:
        raise BrokerError("rabbitmq-server is not installed: install it, or set CBSIM_BROKER_URL")
    port, distribution, epmd = _free_ports(3)
    user, password = "cb", secrets.token_urlsafe(16)
    with tempfile.TemporaryDirectory(prefix="cbsim-rabbitmq-") as folder:
        home = Path(folder)
        home.chmod(0o700)
        home.joinpath("rabbitmq.conf").write_text(
            f"listeners.tcp.local = 127.0.0.1:{port}\ndefault_user = {user}\n"
            f"default_pass = {password}\nlog.file.level = warning\n"
        )
        home.joinpath("plugins").write_text("[].\n")
        environment = os.environ | {
            "HOME": folder,
            "ERL_EPMD_PORT": str(epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"cbsim{port}@localhost",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(home / "env.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(home / "data"),
            "RABBITMQ_LOG_BASE": str(home / "log"),
            "RABBITMQ_PID_FILE": str(home / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-setcookie " + secrets.token_hex(16),
        }
        home.joinpath("env.conf").touch()
        with home.joinpath("out").open("wb") as out:
            process = subprocess.Popen(
                [server], env=environment, stdout=out, stderr=out, start_new_session=True
            )
        url = f"amqp://{user}:{password}@127.0.0.1:{port}/"
        try:
            _await(process, url, home / "out", patience)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait(5)
            if shutil.which("epmd"):
                subprocess.run(["epmd", "-kill"], env=environment, capture_output=True, check=False)


def _await(process: subprocess.Popen[bytes], url: str, out: Path, patience: float) -> None:
    until = time.monotonic() + patience
    while True:
        try:
            connect(url).close()
            return
        except BrokerError:
            if process.poll() is not None or time.monotonic() > until:
                said = out.read_text(errors="replace").strip().splitlines()
                last = said[-1] if said else "it said nothing"
                raise BrokerError(f"rabbitmq-server did not start: {last}") from None
            time.sleep(0.2)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _main() -> int:
    try:
        with at_hand() as url:
            environment = os.environ | {"CBSIM_BROKER_URL": url}
            return subprocess.run(sys.argv[1:], env=environment, check=False).returncode
    except CbsimError as error:
        sys.stderr.write(f"cbsim: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(_main())
