"""Connections to a broker: URLs, TLS, and one clear sentence for each way they fail."""

from __future__ import annotations

import re
import socket
import ssl
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import pika
import pika.exceptions
from pika.adapters.utils.connection_workflow import AMQPConnectorException

from cbsim.bus.certificate import Certificate
from cbsim.errors import BrokerError
from cbsim.printable import printable

__all__ = [
    "DEFAULT",
    "PLAIN",
    "Patience",
    "Tls",
    "check",
    "connect",
    "parameters",
    "redacted",
    "sentence",
    "trust",
    "wait_for",
]


@dataclass(frozen=True, slots=True)
class Tls:
    """Files (PEM) for `amqps://`: whom to trust, and who we are."""

    ca_file: str | None = None
    """Certificates of authorities, or a server's own."""
    client_cert: str | None = None
    client_key: str | None = None
    verified: bool = True
    """Off only for a broker in our own process: its certificate may be a bad one on purpose."""


PLAIN = Tls()
"""The system's certificates, and none of our own."""

_OPENING = 30.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a broker is waited for, in seconds."""

    silence: float | None = None
    """A broker that says nothing for so long is gone, as heartbeats tell (2 s at least); None is
    what the broker proposes. A heartbeat in the URL says more than this."""
    opening: float = _OPENING
    """Until the connection is open."""
    again: bool = False
    """Whether there was a connection before: AMQP is spoken there, and our login is right."""


DEFAULT = Patience()

_TIMEOUTS = {"socket_timeout", "stack_timeout", "blocked_connection_timeout"}
_GUESSES = (
    pika.exceptions.IncompatibleProtocolError,
    pika.exceptions.ProbableAuthenticationError,
    pika.exceptions.ProbableAccessDeniedError,
)
"""What pika makes of a connection that ends before it is open."""
_RETRY = 0.25
_PLACE = re.compile(r"(?:\[[^\]@]*\]|[^:/@\[\]]*)(?::\d*)?(?:/.*)?", re.DOTALL)
"""Host, port and virtual host."""
_CLIENT_CERTIFICATE = "it wants a client certificate (--client-cert, --client-key)"
_LONGEST_HEARTBEAT = 65535  # 16 bits in connection.tune


def redacted(url: str) -> str:
    """The URL as it may be shown: without its password, be that escaped or not.

    >>> redacted("amqp://cb:secret@h:5672/v"), redacted("amqp://cb:a/secret@h"), redacted("cb:a@h")
    ('amqp://cb@h:5672/v', 'amqp://cb@h', 'h')
    """
    scheme, slashes, rest = url.partition("://") if "://" in url else ("", "", url)
    login, _, place = rest.rpartition("@")
    place = re.split(r"[?#]", place)[0]
    if not _PLACE.fullmatch(place):
        # What stands for the port may be meant as a password.
        return f"{printable(scheme)}{slashes}..."
    user = login.partition(":")[0]
    shown = f"{user}@{place}" if user and slashes else place
    return printable(f"{scheme}{slashes}{shown}")


def check(url: str, tls: Tls = PLAIN, exchanges: Sequence[str] = ()) -> None:
    """Raises BrokerError unless we may log in at the broker, and publish to the exchanges.

    No message goes out for it, and the exchanges need not be there yet.
    """
    connection = connect(url, tls)
    try:
        for exchange in exchanges:
            channel = connection.channel()
            channel.confirm_delivery()
            try:
                # RabbitMQ looks at the permission first, then refuses an expiry that is no number.
                channel.basic_publish(exchange, "", b"", pika.BasicProperties(expiration="never"))
                channel.close()
            except pika.exceptions.ChannelClosedByBroker as error:
                if error.reply_code == 403:
                    raise BrokerError(
                        f"broker {redacted(url)}: user {urlsplit(url).username or 'guest'!r} "
                        f"has no permission to write to exchange {exchange!r}"
                    ) from None
            except pika.exceptions.UnroutableError:
                channel.close()
    except (pika.exceptions.AMQPError, OSError) as error:
        raise BrokerError(sentence(error, url)) from None
    finally:
        if connection.is_open:
            connection.close()


def parameters(url: str, tls: Tls = PLAIN, patience: Patience = DEFAULT) -> pika.URLParameters:
    """What pika connects with; raises BrokerError for a URL or files that cannot be used."""
    if "@" in url and "@" not in re.split(r"[/?#]", url.partition("://")[2])[0]:
        raise BrokerError(
            f"broker URL {redacted(url)!r}: a password with /, ? or # in it must be escaped there, "
            "as %2F, %3F or %23"
        )
    try:
        if urlsplit(url).scheme not in ("amqp", "amqps") or not urlsplit(url).hostname:
            raise ValueError
        _check_heartbeat(url)
        made = pika.URLParameters(url)
    except (ValueError, TypeError):
        raise BrokerError(
            f"broker URL {redacted(url)!r}: expected amqp://user:password@host:port/vhost or amqps://"
        ) from None
    asked = parse_qs(urlsplit(url).query)
    for name in _TIMEOUTS - asked.keys():
        setattr(made, name, min(patience.opening, _OPENING))
    if patience.silence is not None and "heartbeat" not in asked:
        # Two of them may be missed.
        ours = max(1, int(patience.silence / 3))
        made.heartbeat = lambda _, proposed: min(proposed or ours, ours)
    if url.startswith("amqps:"):
        made.ssl_options = pika.SSLOptions(trust(tls), made.host)
    return made


def connect(url: str, tls: Tls = PLAIN, patience: Patience = DEFAULT) -> pika.BlockingConnection:
    """An open connection; raises BrokerError."""
    made = parameters(url, tls, patience)
    try:
        if patience.again:
            _look(made.host, made.port, patience.opening)
        return pika.BlockingConnection(made)
    except (pika.exceptions.AMQPError, AMQPConnectorException, OSError) as error:
        raise BrokerError(sentence(error, url, again=patience.again)) from None


def wait_for(url: str, tls: Tls = PLAIN, patience: float = 30.0) -> None:
    """Wait until a broker lets us in, at most so many seconds; raises BrokerError then."""
    parameters(url, tls)
    until = time.monotonic() + patience
    while True:
        try:
            connect(url, tls).close()
            return
        except BrokerError:
            if time.monotonic() >= until:
                raise
        time.sleep(_RETRY)


def sentence(error: BaseException, url: str, *, again: bool = False) -> str:
    """Why a broker could not be used, for a person; `again` is as in Patience."""
    shown, parts = redacted(url), urlsplit(url)
    chain: list[BaseException] = []
    _unfold(error, chain)

    def has(*kinds: type[BaseException]) -> BaseException | None:
        return next((one for one in chain if isinstance(one, kinds)), None)

    if has(socket.gaierror):
        return f"broker {shown}: the host name {parts.hostname!r} cannot be resolved"
    if has(pika.exceptions.AMQPHeartbeatTimeout):
        return f"broker {shown}: it missed its heartbeats"
    if has(ConnectionRefusedError):
        return f"broker {shown}: nothing listens there (connection refused)"
    if isinstance(tls := has(ssl.SSLError), ssl.SSLError):
        return f"broker {shown}: {_of_tls(tls)}"
    if again and has(*_GUESSES):
        return f"broker {shown}: it closed the connection before the login was through"
    if has(pika.exceptions.IncompatibleProtocolError):
        if parts.scheme == "amqps":  # since TLS 1.3 a refused client finds out only now
            return f"broker {shown}: no AMQP 0-9-1 is spoken there, or {_CLIENT_CERTIFICATE}"
        return f"broker {shown}: no AMQP 0-9-1 is spoken there, or only over TLS (amqps://)"
    if has(pika.exceptions.ProbableAuthenticationError, pika.exceptions.AuthenticationError):
        return f"broker {shown}: the login of user {parts.username or 'guest'!r} was refused"
    if has(pika.exceptions.ProbableAccessDeniedError):
        return f"broker {shown}: the virtual host is not there, or this user may not enter it"
    if closed := has(
        pika.exceptions.ChannelClosedByBroker, pika.exceptions.ConnectionClosedByBroker
    ):
        code, text = getattr(closed, "reply_code", 0), getattr(closed, "reply_text", "")
        if code == 530:
            return f"broker {shown}: the virtual host is not there, or this user may not enter it"
        return f"broker {shown}: refused with {code} {text}"
    if has(TimeoutError) or "imeout" in type(error).__name__:
        return f"broker {shown}: no answer in time"
    why = next(filter(None, map(str, reversed(chain))), type(chain[-1]).__name__)
    return f"broker {shown}: the connection failed: {why}"


def _look(host: str, port: int, patience: float) -> None:
    """Raises OSError unless something listens there that is not ourselves.

    Who connects to a port of their own machine that nobody listens on, and that the system would
    give away as a client's, may be given just that one, and is connected to themselves. As long as
    they are, no broker can listen there.
    """
    with socket.create_connection((host, port), patience) as found:
        if found.getsockname() == found.getpeername():
            # Reset, so that nothing of it lingers.
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise ConnectionRefusedError


def trust(tls: Tls) -> ssl.SSLContext:
    """What is trusted, and who we are, for connections of any kind; raises BrokerError."""
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
    except ssl.SSLError:
        raise BrokerError(f"TLS file {tls.ca_file}: expected certificates (PEM)") from None
    except OSError as error:
        raise BrokerError(f"TLS file {tls.ca_file}: {error.strerror}") from None
    # What was named is trusted, be it an authority's or the server's own, as from Python 3.13 on.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if not tls.verified:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if tls.client_cert:
        Certificate(tls.client_cert, tls.client_key).load_into(context)
    return context


def _of_tls(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted: {error.verify_message}; --ca-file says whom to trust"
        )
    reason = error.reason or str(error)
    if reason == "WRONG_VERSION_NUMBER":
        return "no TLS is spoken there; amqp:// goes without"
    if "CERTIFICATE_REQUIRED" in reason or "HANDSHAKE_FAILURE" in reason:
        return _CLIENT_CERTIFICATE
    return f"TLS failed: {reason}"


def _check_heartbeat(url: str) -> None:
    for text in parse_qs(urlsplit(url).query).get("heartbeat", []):
        if not text.isdecimal() or int(text) > _LONGEST_HEARTBEAT:
            raise BrokerError(
                f"broker URL {redacted(url)!r}: heartbeat {text!r}: "
                f"expected whole seconds up to {_LONGEST_HEARTBEAT}, 0 for none"
            )


def _unfold(error: BaseException, chain: list[BaseException]) -> None:
    chain.append(error)
    nested = [error.__cause__, error.__context__, getattr(error, "exception", None), *error.args]
    for one in nested + list(getattr(error, "exceptions", ())):
        if isinstance(one, BaseException) and one not in chain:
            _unfold(one, chain)
