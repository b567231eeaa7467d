"""The errors of AMQP 0-9-1, named and worded as RabbitMQ does."""

from __future__ import annotations

__all__ = [
    "AmqpError",
    "access_refused",
    "channel_error",
    "command_invalid",
    "frame_error",
    "not_allowed",
    "not_found",
    "not_implemented",
    "precondition_failed",
    "resource_locked",
    "syntax_error",
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
_OF_A_CHANNEL = frozenset((311, 312, 313, 403, 404, 405, 406))


class AmqpError(Exception):
    """Closes a channel, or with `hard` the whole connection, with a code and a text."""

    def __init__(self, code: int, explanation: str, *, hard: bool | None = None) -> None:
        name = _NAMES.get(code)
        self.code = code
        self.text = f"{name} - {explanation}" if name else explanation
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


def frame_error(explanation: str) -> AmqpError:
    """501, of the connection."""
    return AmqpError(501, explanation)


def syntax_error(explanation: str) -> AmqpError:
    """502, of the connection."""
    return AmqpError(502, explanation)


def command_invalid(explanation: str) -> AmqpError:
    """503, of the connection."""
    return AmqpError(503, explanation)


def channel_error(explanation: str) -> AmqpError:
    """504, of the connection."""
    return AmqpError(504, explanation)


def unexpected_frame(explanation: str) -> AmqpError:
    """505, of the connection."""
    return AmqpError(505, explanation)


def not_allowed(explanation: str) -> AmqpError:
    """530, of the connection."""
    return AmqpError(530, explanation)


def not_implemented(explanation: str) -> AmqpError:
    """540, of the connection."""
    return AmqpError(540, explanation)
