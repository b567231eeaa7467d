"""Connections to a broker: URLs, TLS, and one clear sentence for each way they fail."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

import pika
import pika.exceptions

from cbsim.errors import BrokerError

__all__ = ["PLAIN", "Tls", "connect", "parameters", "redacted", "sentence"]


@dataclass(frozen=True, slots=True)
class Tls:
    """Files (PEM) for `amqps://`: whom to trust, and who we are."""

    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None


PLAIN = Tls()
"""The system's certificates, and none of our own."""


def redacted(url: str) -> str:
    """The URL as it may be shown: without its password."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    user = f"{parts.username}@" if parts.username else ""
    return f"{parts.scheme}://{user}{host}{parts.path}"


def parameters(url: str, tls: Tls = PLAIN) -> pika.URLParameters:
    """What pika connects with; raises BrokerError for a URL or files that cannot be used."""
    try:
        if urlsplit(url).scheme not in ("amqp", "amqps") or not urlsplit(url).hostname:
            raise ValueError
        made = pika.URLParameters(url)
    except (ValueError, TypeError):
        raise BrokerError(
            f"broker URL {redacted(url)!r}: expected amqp://user:password@host:port/vhost or amqps://"
        ) from None
    made.socket_timeout = made.stack_timeout = made.blocked_connection_timeout = 30
    if url.startswith("amqps:"):
        try:
            context = ssl.create_default_context(cafile=tls.ca_file)
            if tls.client_cert:
                context.load_cert_chain(tls.client_cert, tls.client_key)
        except (OSError, ssl.SSLError) as error:
            files = ", ".join(filter(None, (tls.ca_file, tls.client_cert, tls.client_key)))
            raise BrokerError(f"TLS files {files}: {error}") from None
        made.ssl_options = pika.SSLOptions(context, made.host)
    return made


def connect(url: str, tls: Tls = PLAIN) -> pika.BlockingConnection:
    """An open connection; raises BrokerError."""
    made = parameters(url, tls)
    try:
        return pika.BlockingConnection(made)
    except (pika.exceptions.AMQPError, OSError) as error:
        raise BrokerError(sentence(error, url)) from None


def sentence(error: BaseException, url: str) -> str:
    """Why a broker could not be used, for a person."""
    shown, parts = redacted(url), urlsplit(url)
    chain: list[BaseException] = []
    _unfold(error, chain)

    def has(*kinds: type[BaseException]) -> BaseException | None:
        return next((one for one in chain if isinstance(one, kinds)), None)

    if has(socket.gaierror):
        return f"broker {shown}: the host name {parts.hostname!r} cannot be resolved"
    if has(ConnectionRefusedError):
        return f"broker {shown}: nothing listens there (connection refused)"
    if tls := has(ssl.SSLError):
        return f"broker {shown}: TLS failed: {getattr(tls, 'reason', None) or tls}"
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
    return f"broker {shown}: the connection failed: {error or type(error).__name__}"


def _unfold(error: BaseException, chain: list[BaseException]) -> None:
    chain.append(error)
    nested = [error.__cause__, error.__context__, getattr(error, "exception", None), *error.args]
    for one in nested + list(getattr(error, "exceptions", ())):
        if isinstance(one, BaseException) and one not in chain:
            _unfold(one, chain)
