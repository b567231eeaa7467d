"""The errors of AMQP 0-9-1, named and worded as RabbitMQ does."""

from __future__ import annotations

__all__ = [
    "NO_METHOD",
    "AmqpError",
    "access_refused",
    "bad_frame",
    "cannot_decode",
    "channel_error",
    "command_invalid",
    "internal_error",
    "not_allowed",
    "not_found",
    "not_implemented",
    "out_of_place",
    "precondition_failed",
    "resource_error",
    "resource_locked",
    "unexpected_frame",
]

_NAMES = {
    311: "CONTENT_TOO_LARGE",
    312: "NO_ROUTE",
    313: "NO_CONSUMERS",
    320: "CONNECTION_FORCED",
    402: "INVALID_PATH",
    403: "ACCESS_REFUSED",
    404: "NOT_FOUND",
    405: "RESOURCE_LOCKED",
    406: "PRECONDITION_FAILED",
    501: "FRAME_ERROR",
    502: "SYNTAX_ERROR",
    503: "COMMAND_INVALID",
    504: "CHANNEL_ERROR",
    505: "UNEXPECTED_FRAME",
    506: "RESOURCE_ERROR",
    530: "NOT_ALLOWED",
    540: "NOT_IMPLEMENTED",
    541: "INTERNAL_ERROR",
}
NO_METHOD = (0, 0)
_OF_A_CHANNEL = frozenset((311, 312, 313, 403, 404, 405, 406))


class AmqpError(Exception):
    """Closes a channel, or with `hard` the whole connection, with a code and a text.

    `method` is the class and method that failed, when it is not the one of the frame at hand.
    """

    def __init__(
        self,
        code: int,
        explanation: str,
        *,
        hard: bool | None = None,
        method: tuple[int, int] | None = None,
    ) -> None:
        self.code = code
        self.text = " - ".join(filter(None, (_NAMES.get(code), explanation)))
        self.method = method
        self.hard = code not in _OF_A_CHANNEL if hard is None else hard
        super().__init__(self.text)

    @property
    def reply_text(self) -> str:
        """As much of the text as a short string holds."""
        data = self.text.encode()
        return self.text if len(data) <= 255 else data[:252].decode("utf-8", "ignore") + "..."


def access_refused(explanation: str) -> AmqpError:
    """403, of a channel."""
    return AmqpError(403, explanation)


def not_found(explanation: str) -> AmqpError:
    """404, of a channel."""
    return AmqpError(404, explanation)


def resource_locked(explanation: str) -> AmqpError:
    """405, of a channel."""
    return AmqpError(405, explanation)


def precondition_failed(explanation: str) -> AmqpError:
    """406, of a channel."""
    return AmqpError(406, explanation)


def bad_frame(kind: int, payload: bytes, why: str) -> AmqpError:
    """501, of the connection: bytes that are no frame."""
    return AmqpError(501, f"{_described(kind, payload)}: {why}", method=NO_METHOD)


def cannot_decode(payload: bytes) -> AmqpError:
    """501, of the connection: a method's fields."""
    return AmqpError(501, f"cannot decode {_binary(payload)}")


def internal_error() -> AmqpError:
    """541, of the connection."""
    return AmqpError(541, "", method=NO_METHOD)


def command_invalid(explanation: str) -> AmqpError:
    """503, of the connection."""
    return AmqpError(503, explanation)


def channel_error(explanation: str) -> AmqpError:
    """504, of the connection."""
    return AmqpError(504, explanation)


def out_of_place(kind: int, payload: bytes) -> AmqpError:
    """505, of the connection: a frame that channel 0 has no use for."""
    return AmqpError(505, _described(kind, payload), method=NO_METHOD)


def unexpected_frame(explanation: str, method: tuple[int, int]) -> AmqpError:
    """505, of the connection: a frame that is not the content's next."""
    return AmqpError(505, explanation, method=method)


def resource_error(explanation: str) -> AmqpError:
    """506, of the connection."""
    return AmqpError(506, explanation)


def not_allowed(explanation: str) -> AmqpError:
    """530, of the connection."""
    return AmqpError(530, explanation)


def not_implemented(explanation: str) -> AmqpError:
    """540, of the connection."""
    return AmqpError(540, explanation)


def _described(kind: int, payload: bytes) -> str:
    size = "all" if len(payload) <= 16 else "first 16"
    return f"type {kind}, {size} octets = {_binary(payload[:16])}"


def _binary(data: bytes) -> str:
    """The bytes as Erlang prints them."""
    if not data or any(one not in _PRINTABLE for one in data):
        return f"<<{','.join(map(str, data))}>>"
    text = "".join(_ESCAPES.get(one, one) for one in data.decode("ascii"))
    return f'<<"{text}">>'


_ESCAPES = {chr(of): "\\" + to for of, to in zip(b'\\"\n\r\t\v\b\f\x1b', '\\"nrtvbfe', strict=True)}
_PRINTABLE = frozenset(range(32, 127)) | frozenset(map(ord, _ESCAPES))
