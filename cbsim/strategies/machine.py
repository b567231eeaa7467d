"""A base for stateful tests: Hypothesis decides what happens, your consumer gets the messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from cbsim.strategies.argument import DialectName, dialect_of, server_of
from cbsim.strategies.story import Stage, prepare
from cbsim.strategies.value import Draw
from cbsim.wire.message import Message

__all__ = ["ConsumerMachine"]

Telling = Callable[[Stage, Draw], list[Message]]


@st.composite
def _stage(draw: st.DrawFn) -> Stage:
    machine = draw(st.runner())
    return Stage.drawn(draw, server_of(machine.server), dialect_of(machine.dialect))


@st.composite
def _told(draw: st.DrawFn, telling: Telling) -> list[Message]:
    return telling(draw(st.runner()).stage, draw)


class ConsumerMachine(RuleBasedStateMachine):
    """A server beside your consumer: override `receive`, and add invariants of your own.

    Processes start, act, are hit and end; binaries arrive; the broker delivers some messages
    again. `sent` holds every message so far, each once.

    >>> class Counting(ConsumerMachine):
    ...     def receive(self, message):
    ...         assert message.body
    >>> from hypothesis import settings
    >>> from hypothesis.stateful import run_state_machine_as_test
    >>> run_state_machine_as_test(Counting, settings=settings(max_examples=5))

    In a test module, `TestCounting = Counting.TestCase` is a test.
    """

    server: ClassVar[str] = "5.2"
    dialect: ClassVar[DialectName] = "observed"

    stage: Stage

    def __init_subclass__(cls, **arguments: object) -> None:
        super().__init_subclass__(**arguments)
        # What a story needs is made ready now: Hypothesis counts the time of a draw.
        prepare(server_of(cls.server), dialect_of(cls.dialect))

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Message] = []

    def receive(self, message: Message) -> None:
        """Hand a message to your consumer, as the broker would."""
        raise NotImplementedError("a ConsumerMachine needs a method receive(self, message)")

    def receive_again(self, message: Message) -> None:
        """Hand it a message that the broker delivers once more, marked as redelivered."""
        self.receive(message)

    @initialize(stage=_stage())
    def begin(self, stage: Stage) -> None:
        """Begin with a small world in which nothing happened yet."""
        self.stage = stage

    @rule(messages=_told(Stage.process_starts))
    def process_starts(self, messages: list[Message]) -> None:
        """A process starts."""
        self._send(messages)

    @precondition(lambda self: self.stage.alive)
    @rule(messages=_told(Stage.process_acts))
    def process_acts(self, messages: list[Message]) -> None:
        """A living process does something."""
        self._send(messages)

    @precondition(lambda self: self.stage.alive)
    @rule(messages=_told(Stage.process_is_hit))
    def process_is_hit(self, messages: list[Message]) -> None:
        """A feed's report matches a living process."""
        self._send(messages)

    @precondition(lambda self: self.stage.alive)
    @rule(messages=_told(Stage.process_ends))
    def process_ends(self, messages: list[Message]) -> None:
        """A living process ends."""
        self._send(messages)

    @rule(messages=_told(Stage.binary_arrives))
    def binary_arrives(self, messages: list[Message]) -> None:
        """A binary comes to an endpoint."""
        self._send(messages)

    @precondition(lambda self: self.stage.pending)
    @rule(messages=_told(Stage.follow_up))
    def follow_up(self, messages: list[Message]) -> None:
        """What has to follow from something that was told."""
        self._send(messages)

    @precondition(lambda self: self.sent)
    @rule(back=st.integers(1, 8))
    def redelivered(self, back: int) -> None:
        """The broker delivers a recent message again."""
        self.receive_again(self.sent[-min(back, len(self.sent))])

    def _send(self, messages: list[Message]) -> None:
        for message in messages:
            self.sent.append(message)
            self.receive(message)
