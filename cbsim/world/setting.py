"""The simulated server and the size of its estate, as a scenario's author writes them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from cbsim.catalog import Dialect, ServerVersion, parse_broadcast
from cbsim.errors import CbsimError, ScenarioError
from cbsim.quantity import parse_duration, parse_rate

__all__ = ["EstateSize", "Latency", "OsMix", "Part", "Rate", "Raw", "Seconds", "Server", "parsed"]


def parsed(parse: Any) -> Any:
    """A validator of pydantic's from a parser of ours, whose sentence becomes the error."""

    def validate(value: Any) -> Any:
        try:
            return parse(value)
        except CbsimError as error:
            raise ValueError(str(error)) from None

    return validate


_NUMBER_OR_TEXT = {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string"}]}
Rate = Annotated[float, BeforeValidator(parsed(parse_rate)), WithJsonSchema(
    _NUMBER_OR_TEXT | {"examples": ["500/s", "30/min"]})]  # fmt: skip
Seconds = Annotated[float, BeforeValidator(parsed(parse_duration)), WithJsonSchema(
    _NUMBER_OR_TEXT | {"examples": ["30s", "500ms", "5m"]})]  # fmt: skip
Version = Annotated[ServerVersion, BeforeValidator(parsed(lambda it: ServerVersion.parse(str(it)))),
                    WithJsonSchema({"enum": [*map(str, ServerVersion)]})]  # fmt: skip


Raw = Literal["single", "bundles", "both"]


def _broadcast(text: str) -> str:
    parse_broadcast(text)
    return text


class Part(BaseModel):
    """What all parts of a scenario have in common: nothing unknown, nothing that changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Latency(Part):
    """How long after an endpoint's deed the server says so; a real server takes minutes."""

    store: Seconds = Field(0.5, description="until a binary's file has arrived")
    storage: Seconds = Field(1.0, description="until storage hits")
    watchlist: Seconds = Field(2.0, description="until watchlist hits and their alerts")
    query: Seconds = Field(3.0, description="until query hits")


class Server(Part):
    """The server that is simulated."""

    version: Version = Field(
        ServerVersion.V5_2,
        description="decides routing keys, fields and their shapes",
        examples=["5.2"],
    )
    dialect: Dialect = Field(
        Dialect.OBSERVED,
        description="`documented`: the specification's tables to the letter; `observed`: what real "
        "servers write",
        examples=["observed"],
    )
    name: str = Field(
        "cbserver.example.com",
        description="the server's name in messages and links",
        examples=["cbserver.example.com"],
    )
    broadcast: Annotated[str, AfterValidator(parsed(_broadcast))] = Field(
        "*",
        description="DatastoreBroadcastEventTypes: `*`, or a list such as `process,netconn`",
        examples=["process,netconn"],
    )
    raw: Raw = Field(
        "single",
        description="raw events one by one, as bundles of a sensor's upload, or both",
        examples=["both"],
    )
    bundle: int = Field(200, ge=1, le=100_000, description="raw events in a bundle", examples=[200])
    zipped: bool = Field(True, description="whether bundles are zipped or bare", examples=[False])
    latency: Latency = Field(
        Latency(),
        description="how soon the server says what happened",
        examples=[{"watchlist": "2s", "query": "3s"}],
    )
    watchlist_ids: bool = Field(
        False,
        description="whether the keys of watchlist hits carry the watchlist's id, as those of feeds"
        " do; no server was seen to do so",
        examples=[True],
    )

    @model_validator(mode="after")
    def _able(self) -> Server:
        parsed(Server.check)(self)
        return self

    def check(self) -> None:
        """Raise ScenarioError when servers of that version cannot do that."""
        if self.raw != "single" and not self.version.bundles:
            raise ScenarioError(
                f"raw: {self.raw}: servers publish bundles from {ServerVersion.V5_2} on, and this "
                f"one is {self.version}"
            )


class OsMix(Part):
    """Relative weights."""

    windows: float = Field(8, ge=0, description="weight of Windows", examples=[8])
    linux: float = Field(1, ge=0, description="weight of Linux", examples=[1])
    osx: float = Field(1, ge=0, description="weight of macOS", examples=[1])

    @model_validator(mode="after")
    def _some(self) -> OsMix:
        if self.windows + self.linux + self.osx <= 0:
            raise ValueError("expected one weight above 0")
        return self


class EstateSize(Part):
    """The endpoints and what is on them."""

    sensors: int = Field(
        50, ge=1, le=1_000_000, description="endpoints, with ids from 1 on", examples=[500]
    )
    binaries: int = Field(
        1000, ge=1, le=9_000_000, description="different libraries on them", examples=[5000]
    )
    groups: int = Field(4, ge=1, le=1000, description="sensor groups", examples=[10])
    os: OsMix = Field(
        OsMix(),
        description="shares of operating systems",
        examples=[{"windows": 8, "linux": 1, "osx": 1}],
    )
    spread: float = Field(
        1.1,
        ge=1,
        le=1_000_000,
        description="endpoints a new binary comes to, on average",
        examples=[1.5],
    )
