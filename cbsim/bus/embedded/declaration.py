"""Declarations: what queues and exchanges may be declared with, and when two are the same."""

from __future__ import annotations

from collections.abc import Mapping
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
_TIMES = ("x-expires", "x-message-ttl")
_NUMBERS = (*_TIMES, "x-max-length", "x-max-length-bytes")
_TEXTS = ("x-dead-letter-exchange", "x-dead-letter-routing-key", "x-overflow", "x-queue-mode")
_COMPARED = (*_NUMBERS, *_TEXTS)
_OVERFLOWS = ("drop-head", "reject-publish", "reject-publish-dlx")
_MODES = ("default", "lazy")
_OTHER_KINDS = ("quorum", "stream")
_LACKING = ("x-max-priority", "x-single-active-consumer")


def check_queue(name: str, arguments: Mapping[str, Field], vhost: str) -> None:
    """Raises AmqpError for a name or arguments that no new queue may have."""
    if name.startswith("amq."):
        raise access_refused(f"queue name '{name}' contains reserved prefix 'amq.*'")

    def invalid(argument: str, why: str) -> AmqpError:
        return precondition_failed(
            f"invalid arg '{argument}' for queue '{name}' in vhost '{vhost}': {why}"
        )

    for argument in _NUMBERS:
        if (given := arguments.get(argument)) is not None:
            number = given.number
            if number is None:
                raise invalid(argument, f'"expected integer, got {given.type_name}"')
            if number < 0:
                raise invalid(argument, f"{{value_negative,{number}}}")
            if number == 0 and argument == "x-expires":
                raise invalid(argument, "{value_zero,0}")
            if number > LONGEST and argument in _TIMES:
                raise invalid(argument, f"{{value_too_large,{number}}}")
    exchange = arguments.get("x-dead-letter-exchange")
    if exchange is not None and exchange.text is None:
        raise precondition_failed(
            f"invalid type '{exchange.type_name}' for arg 'x-dead-letter-exchange' in queue "
            f"'{name}' in vhost '{vhost}'"
        )
    for argument in _TEXTS:
        if (given := arguments.get(argument)) is not None and given.text is None:
            raise invalid(argument, f"{{unacceptable_type,{given.type_name}}}")
    if "x-dead-letter-routing-key" in arguments and exchange is None:
        raise invalid("x-dead-letter-routing-key", "routing_key_but_no_dlx_defined")
    overflow = arguments.get("x-overflow")
    if overflow is not None and overflow.text not in _OVERFLOWS:
        raise invalid("x-overflow", "invalid_overflow")
    mode = arguments.get("x-queue-mode")
    if mode is not None and mode.text not in _MODES:
        raise invalid("x-queue-mode", f"\"unsupported queue mode '{mode.text}'\"")
    kind = arguments.get("x-queue-type")
    if kind is not None and kind.text in _OTHER_KINDS:
        raise not_implemented(f"the embedded broker has no queues of type '{kind.text}'")
    if kind is not None and kind.text != "classic":
        raise invalid("x-queue-type", f"\"unsupported queue type '{kind.text}'\"")
    for argument in _LACKING:
        if argument in arguments:
            raise not_implemented(f"the embedded broker has no queues with {argument}")


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
    _same_arguments(what, _COMPARED, arguments, queue.arguments)


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
