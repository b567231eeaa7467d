"""The faults of a scenario, as its author writes them: what goes wrong, how often or when."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from cbsim.quantity import parse_share
from cbsim.scenario.corpus import FAMILIES, KINDS
from cbsim.world.setting import Part, Seconds, parsed

__all__ = ["BrokerFault", "FaultModel", "Late", "Skew"]

Share = Annotated[float, BeforeValidator(parsed(parse_share)), WithJsonSchema(
    {"anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": 1}, {"type": "string"}],
     "examples": ["1%", 0.01]})]  # fmt: skip
_EXCLUSIVE = ("duplicate", "late", "skew", "insert", "broker")


class Late(Part):
    """Messages that come later than others; by little, they only change places."""

    share: Share = Field(description="of the messages", examples=["2%"])
    by: Seconds = Field(gt=0, description="how long each is held back", examples=["50ms"])


class Skew(Part):
    """Sensors whose clock is wrong: exactly one of ahead, behind."""

    share: Share = Field(description="of the sensors", examples=["10%"])
    ahead: Seconds | None = Field(None, description="by how much", examples=["10min"])
    behind: Seconds | None = Field(None, description="by how much", examples=["2h"])

    @model_validator(mode="after")
    def _one(self) -> Skew:
        if len(self.model_fields_set & {"ahead", "behind"}) != 1:
            raise ValueError("expected exactly one of ahead, behind")
        return self

    @property
    def seconds(self) -> float:
        """What has to be added to a right time."""
        return self.ahead if self.ahead is not None else -(self.behind or 0.0)


class BrokerFault(Part):
    """A fault of the embedded broker, by a name of `cbsim fault --help`."""

    name: str = Field(description="what is done", examples=["drop-connection"])
    arguments: dict[str, str | int | float] = Field(
        {}, description="what it takes", examples=[{"how": "mid-frame"}]
    )

    @field_validator("name")
    @classmethod
    def _spelt(cls, name: str) -> str:
        return name.replace("-", "_")

    @model_validator(mode="after")
    def _can_be(self) -> BrokerFault:
        # The broker takes long to import for those who want none.
        from cbsim.bus.embedded import FAULTS

        if self.name not in FAULTS:
            near = get_close_matches(self.name, FAULTS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "expected " + ", ".join(FAULTS)
            raise ValueError(f"{self.name!r} is no fault of the embedded broker: {hint}")
        parsed(FAULTS[self.name].arguments)(self.arguments)
        return self

    def __str__(self) -> str:
        return " ".join([self.name, *(f"{name}={it}" for name, it in self.arguments.items())])


_WRITTEN = {"anyOf": [
    {"type": "string"},
    {"type": "object", "minProperties": 1, "maxProperties": 1,
     "additionalProperties": {"type": ["object", "null"]}},
    {"type": "null"},
]}  # fmt: skip
"""A fault of the broker as authors write it: its name, or its name and what it takes."""


class FaultModel(Part):
    """One thing that goes wrong: exactly one of duplicate, late, skew, insert, broker."""

    start: Seconds = Field(
        0.0, alias="from", description="since when, by the run's clock; not with `broker`",
        examples=["5s"],
    )  # fmt: skip
    until: Seconds | None = Field(
        None, description="likewise; to the end when not given", examples=["25s"]
    )
    duplicate: Share | None = Field(
        None, description="of the messages: each is sent twice", examples=["1%"]
    )
    late: Late | None = Field(
        None, description="messages that come later", examples=[{"share": "2%", "by": "50ms"}]
    )
    skew: Skew | None = Field(
        None,
        description="sensors whose clock is wrong: times of their raw events",
        examples=[{"share": "10%", "behind": "2h"}],
    )
    insert: dict[str, Share] | None = Field(
        None,
        min_length=1,
        description="messages that Hypothesis' strategies draw, so many to each other: `odd`, "
        "`malformed`, or a kind of them",
        examples=[{"odd": "1%", "malformed.zip-bomb": 0.001}],
    )
    at: Seconds | None = Field(
        None, description="with `broker`: when, by the run's clock", examples=["12s"]
    )
    broker: Annotated[BrokerFault | None, WithJsonSchema(_WRITTEN)] = Field(
        None,
        description="a fault of the embedded broker and what it takes",
        examples=[{"drop-connection": {"how": "mid-frame"}}, "clear"],
    )

    @field_validator("broker", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value}
        if isinstance(value, dict) and len(value) == 1:
            ((name, arguments),) = value.items()
            return {"name": name, "arguments": arguments or {}}
        raise ValueError("expected the name of one fault, and what it takes")

    @field_validator("insert")
    @classmethod
    def _kinds(cls, kinds: dict[str, float] | None) -> dict[str, float] | None:
        for kind in kinds or ():
            if kind not in (*FAMILIES, *KINDS):
                near = get_close_matches(kind, [*FAMILIES, *KINDS], n=1)
                hint = f": did you mean {near[0]!r}?" if near else ""
                raise ValueError(f"{kind!r} is no kind of broken or odd message{hint}")
        return kinds

    @model_validator(mode="after")
    def _one(self) -> FaultModel:
        if len(self.model_fields_set & {*_EXCLUSIVE}) != 1:
            raise ValueError(f"expected exactly one of {', '.join(_EXCLUSIVE)}")
        if (self.broker is None) != (self.at is None):
            raise ValueError("expected `at` with `broker`, and only there")
        if self.broker is not None and self.model_fields_set & {"start", "until"}:
            raise ValueError("a fault of the broker has `at`, and neither `from` nor `until`")
        if self.until is not None and self.until <= self.start:
            raise ValueError("expected `until` after `from`")
        return self
