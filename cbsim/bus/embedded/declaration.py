"""Declarations: what queues and exchanges may be declared with, and when two are the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pamqp import commands

from cbsim.bus.embedded.error import (
    AmqpError,
    access_refused,
    not_implemented,
    precondition_failed,
)
from cbsim.bus.embedded.table import Field

if TYPE_CHECKING:
    from cbsim.bus.embedded.exchange import Exchange
    from cbsim.bus.embedded.queue import Queue

__all__ = ["LONGEST", "check_exchange", "check_queue", "same_exchange", "same_queue"]

LONGEST = 10 * 365 * 86_400_000
"""The longest time that a queue or a message may be given, milliseconds: ten years."""
_OVERFLOWS = ("drop-head", "reject-publish", "reject-publish-dlx")
_MODES = ("default", "lazy")
_OTHER_KINDS = ("quorum", "stream")
_LACKING = ("x-max-priority", "x-single-active-consumer")


def check_queue(name: str, arguments: Mapping[str, Field], vhost: str) -> None:
    """Raises AmqpError for a name or arguments that no new queue may have."""
    if name.startswith("amq."):
        raise access_refused(f"queue name '{name}' contains reserved prefix 'amq.*'")

    exchange = arguments.get("x-dead-letter-exchange")
    if exchange is not None and exchange.text is None:
        raise precondition_failed(
            f"invalid type '{exchange.type_name}' for arg 'x-dead-letter-exchange' in queue "
            f"'{name}' in vhost '{vhost}'"
        )
    for argument, check in _CHECKS.items():
        if argument in arguments and (why := check(arguments[argument])):
            raise _invalid(argument, name, vhost, why)
        if argument == "x-dead-letter-routing-key" and argument in arguments and exchange is None:
            raise _invalid(argument, name, vhost, "routing_key_but_no_dlx_defined")
    kind = arguments.get("x-queue-type")
    if kind is not None and kind.text in _OTHER_KINDS:
        raise not_implemented(f"the embedded broker has no queues of type '{kind.text}'")
    if kind is not None and kind.text != "classic":
        why = f"\"unsupported queue type '{kind.text}'\""
        raise _invalid("x-queue-type", name, vhost, why)
    for argument in _LACKING:
        if argument in arguments:
            raise not_implemented(f"the embedded broker has no queues with {argument}")


def _invalid(argument: str, name: str, vhost: str, why: str) -> AmqpError:
    return precondition_failed(
        f"invalid arg '{argument}' for queue '{name}' in vhost '{vhost}': {why}"
    )


def _length(given: Field) -> str:
    if given.number is None:
        return f'"expected integer, got {given.type_name}"'
    return f"{{value_negative,{given.number}}}" if given.number < 0 else ""


def _time(given: Field) -> str:
    too_long = given.number is not None and given.number > LONGEST
    return f"{{value_too_large,{given.number}}}" if too_long else _length(given)


def _lease(given: Field) -> str:
    return "{value_zero,0}" if given.number == 0 else _time(given)


def _text(given: Field) -> str:
    return f"{{unacceptable_type,{given.type_name}}}" if given.text is None else ""


def _overflow(given: Field) -> str:
    return _text(given) or ("" if given.text in _OVERFLOWS else "invalid_overflow")


def _mode(given: Field) -> str:
    unknown = f"\"unsupported queue mode '{given.text}'\""
    return _text(given) or ("" if given.text in _MODES else unknown)


_CHECKS: Mapping[str, Callable[[Field], str]] = {
    "x-expires": _lease,
    "x-message-ttl": _time,
    "x-dead-letter-exchange": _text,
    "x-dead-letter-routing-key": _text,
    "x-max-length": _length,
    "x-max-length-bytes": _length,
    "x-overflow": _overflow,
    "x-queue-mode": _mode,
}
"""Why a value will not do, in the order in which RabbitMQ looks at the arguments."""


def check_exchange(name: str, arguments: Mapping[str, Field], vhost: str) -> None:
    """Raises AmqpError for a name or arguments that no new exchange may have."""
    if name.startswith("amq."):
        raise access_refused(f"exchange name '{name}' contains reserved prefix 'amq.*'")
    alternate = arguments.get("alternate-exchange")
    if alternate is not None and alternate.text is None:
        raise precondition_failed(
            f"invalid type '{alternate.type_name}' for arg 'alternate-exchange' in exchange "
            f"'{name}' in vhost '{vhost}'"
        )


def same_queue(
    queue: Queue, asked: commands.Queue.Declare, arguments: Mapping[str, Field], vhost: str
) -> None:
    """Raises AmqpError when the declaration is of another queue than there is."""
    what = f"queue '{queue.name}' in vhost '{vhost}'"
    _same(what, "durable", asked.durable, queue.durable)
    _same(what, "auto_delete", asked.auto_delete, queue.auto_delete)
    _same_arguments(what, tuple(_CHECKS), arguments, queue.arguments)


def same_exchange(
    exchange: Exchange,
    asked: commands.Exchange.Declare,
    arguments: Mapping[str, Field],
    vhost: str,
) -> None:
    """Raises AmqpError when the declaration is of another exchange than there is."""
    what = f"exchange '{exchange.name}' in vhost '{vhost}'"
    _same(what, "type", asked.exchange_type, exchange.kind)
    _same(what, "durable", asked.durable, exchange.durable)
    _same(what, "auto_delete", asked.auto_delete, exchange.auto_delete)
    _same(what, "internal", asked.internal, exchange.internal)
    _same_arguments(what, ("alternate-exchange",), arguments, exchange.arguments)


def _same(what: str, name: str, received: object, current: object) -> None:
    if received != current:
        raise precondition_failed(
            f"inequivalent arg '{name}' for {what}: received '{_shown(received)}' but current is "
            f"'{_shown(current)}'"
        )


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _same_arguments(
    what: str,
    names: tuple[str, ...],
    received: Mapping[str, Field],
    current: Mapping[str, Field],
) -> None:
    for name in names:
        new, old = received.get(name), current.get(name)
        if (new is None and old is None) or (new and old and new.equals(old)):
            continue
        if new is not None and old is not None:
            _same(what, name, _plain(new), _plain(old))
        raise precondition_failed(
            f"inequivalent arg '{name}' for {what}: received {_described(new)} but current is "
            f"{_described(old)}"
        )


def _described(field: Field | None) -> str:
    return "none" if field is None else f"the value '{_plain(field)}' of type '{field.type_name}'"


def _plain(field: Field) -> str:
    return field.text or "" if field.kind == "S" else field.shown
