"""A scenario as its author writes it: the typed model of the YAML file."""

from __future__ import annotations

from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BeforeValidator,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from cbsim.catalog import (
    NOTIFICATIONS,
    RAW_EVENTS,
    lookup,
)
from cbsim.errors import ScenarioError
from cbsim.quantity import parse_rate
from cbsim.scenario import rate as rates
from cbsim.scenario.corpus import BUNDLE, FAMILIES, KINDS
from cbsim.scenario.fault import FaultModel
from cbsim.scenario.injection import Injection
from cbsim.scenario.rate_profile import RateProfile
from cbsim.scenario.threshold import Threshold, parse_threshold
from cbsim.world.setting import EstateSize, Part, Rate, Raw, Seconds, Server, parsed

__all__ = ["BusModel", "EstateSize", "Injection", "Phase", "Scenario", "Server"]


class BusModel(Part):
    """The exchanges on the broker."""

    events: str = Field(
        "api.events", description="of notifications and single raw events", examples=["api.events"]
    )
    raw: str = Field("api.rawsensordata", description="of bundles", examples=["api.rawsensordata"])
    durable: bool = Field(True, description="whether they are durable", examples=[False])
    passive: bool = Field(
        False, description="expect the exchanges to be there; declare nothing", examples=[True]
    )
    persistent: bool = Field(
        False,
        description="messages outlive the broker in durable queues; real servers' do not",
        examples=[True],
    )


def _known_names(mix: dict[str, Any], *, drawn: bool) -> dict[str, Any]:
    known = [*NOTIFICATIONS, *RAW_EVENTS]
    extra = [BUNDLE, *FAMILIES, *KINDS] if drawn else []
    for pattern in mix:
        if "*" in pattern:
            if not any(fnmatchcase(name, pattern) for name in known + extra):
                raise ValueError(f"{pattern!r} matches no notification; `cbsim events` lists all")
        elif pattern.partition(".")[0] in (BUNDLE, *FAMILIES):
            if pattern in extra:
                continue
            if not drawn:
                raise ValueError(f"{pattern!r} needs `source: strategies`")
            near = get_close_matches(pattern, extra, n=1)
            hint = f": did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"{pattern!r} is no kind of broken or odd message{hint}")
        else:
            parsed(lookup)(pattern)
    if not mix:
        raise ValueError("expected at least one notification")
    return mix


class Phase(Part):
    """A part of the run: what is sent, how fast, for how long."""

    name: str = Field("phase", description="how progress and errors call it", examples=["calm"])
    duration: Seconds | None = Field(
        None, description="how long; `rate: max` counts the wall's", examples=["30s", "5m"]
    )
    count: int | None = Field(
        None, ge=1, le=10**15, description="how many messages", examples=[5000]
    )
    rate: Literal["max"] | RateProfile | Rate | None = Field(
        None,
        description="`500/s`, `max`, or a profile; without one, the sum of the mix's rates",
        examples=["500/s", "max", {"ramp": {"from": "100/s", "to": "2000/s"}}],
    )
    source: Literal["world", "strategies"] = Field(
        "world",
        description="what the simulated endpoints do, or what Hypothesis' strategies draw: corner "
        "cases, bundles (`bundle` in the mix), odd messages (`odd`, or a kind such as "
        "`odd.empty-docs`) and broken ones (`malformed`, or a kind such as `malformed.zip-bomb`)",
        examples=["strategies"],
    )
    mix: dict[str, Annotated[float, Field(ge=0)] | Rate] = Field(
        default_factory=lambda: {"*": 1.0},
        description="names or patterns with their weights, or all with rates such as `5/s`; a "
        "pattern's weight is shared out as real servers do, of `strategies` evenly",
        examples=[{"ingress.event.*": 95, "watchlist.*": 5}, {"watchlist.*": "5/s"}],
    )
    corpus: int = Field(
        200,
        ge=1,
        le=10_000,
        description="of `strategies`: how many messages are drawn ahead, to be sent in turn",
        examples=[500],
    )
    clock: Rate | None = Field(
        None,
        description="at `max`: messages a second by which the clock inside messages moves",
        examples=["500/s"],
    )
    cover: bool = Field(
        False, description="begin with one message of each name in the mix", examples=[True]
    )
    inject: tuple[Injection, ...] = Field(
        (),
        description="what happens at moments of the phase",
        examples=[[{"at": "2s", "hit": {"sensor": 7, "report": "tor"}}]],
    )

    @property
    def usual(self) -> float:
        """Messages a second by the clock inside messages, in the long run."""
        if isinstance(self.rate, RateProfile):
            return self.rate.mean
        if self.rate == rates.MAX:
            return self.clock or rates.NOMINAL
        assert isinstance(self.rate, float | int)
        return self.rate

    @property
    def length(self) -> float:
        """Seconds by that clock, about; of a count alone, as long as that takes in the long run."""
        ends = [] if self.duration is None else [self.duration]
        if self.count is not None:
            ends.append(self.count / self.usual)
        return min(ends)

    @field_validator("mix")
    @classmethod
    def _names(cls, mix: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        return _known_names(mix, drawn=info.data.get("source") == "strategies")

    @model_validator(mode="after")
    def _of_the_world(self) -> Phase:
        if self.source == "strategies" and (self.inject or self.cover):
            word = "inject" if self.inject else "cover"
            raise ValueError(f"phase {self.name!r}: `{word}` needs `source: world`")
        return self

    @model_validator(mode="after")
    def _ends(self) -> Phase:
        if self.duration is None and self.count is None:
            raise ValueError(f"phase {self.name!r} has no end: expected a duration or a count")
        if not any(self.mix.values()):
            raise ValueError(f"phase {self.name!r}: expected a weight above 0 in the mix")
        return self

    @model_validator(mode="before")
    @classmethod
    def _rates_in_mix(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not isinstance(data.get("mix"), dict):
            return data
        mix = data["mix"]
        written = [value for value in mix.values() if isinstance(value, str)]
        if written and len(written) != len(mix):
            raise ValueError("mix: expected weights or rates, not both")
        if written:
            mix = {name: parsed(parse_rate)(value) for name, value in mix.items()}
            return {"rate": sum(mix.values())} | data | {"mix": mix}
        if "rate" not in data:
            raise ValueError("expected a rate: a number a second such as 500/s, a profile, or max")
        return data


class ThresholdModel(Part):
    """A threshold, and whether the run ends where it does not hold."""

    that: str = Field(description="what must hold", examples=["lag_p99 < 2s"])
    ends: bool = Field(
        False, description="whether the run ends where it does not hold", examples=[True]
    )


def _judged(value: Any) -> Threshold:
    if isinstance(value, Threshold):
        return value
    if isinstance(value, str):
        return parse_threshold(value)
    written = ThresholdModel.model_validate(value)
    return parse_threshold(written.that, ends=written.ends)


Judged = Annotated[Threshold, BeforeValidator(parsed(_judged)), WithJsonSchema(
    {"anyOf": [{"type": "string", "examples": ["lag_p99 < 2s"]},
               ThresholdModel.model_json_schema()]})]  # fmt: skip


class Scenario(Part):
    """A whole scenario."""

    server: Server = Field(
        Server(),
        description="the server that is simulated",
        examples=[{"version": "6.x", "raw": "both"}],
    )
    bus: BusModel = Field(
        BusModel(),
        description="the exchanges on the broker",
        examples=[{"events": "api.events", "raw": "api.rawsensordata"}],
    )
    estate: EstateSize = Field(
        EstateSize(),
        description="the endpoints and what is on them",
        examples=[{"sensors": 500, "groups": 10}],
    )
    seed: int = Field(
        1,
        ge=-(2**63),
        lt=2**63,
        description="the same one gives the same messages, byte for byte",
        examples=[7],
    )
    phases: tuple[Phase, ...] = Field(
        min_length=1,
        description="what is sent, one phase after another",
        examples=[[{"duration": "30s", "rate": "500/s", "mix": {"*": 1}}]],
    )
    thresholds: tuple[Judged, ...] = Field(
        (),
        description="what must hold: `depth < 10000`, `lag_p99 < 2s`; or with `ends: true`, "
        "`that` must hold or the run ends",
        examples=[["depth < 10000", {"that": "lag_p99 < 2s", "ends": True}]],
    )
    faults: tuple[FaultModel, ...] = Field(
        (), description="what goes wrong during the run", examples=[[{"duplicate": "1%"}]]
    )

    def at_rate(self, rate: str | float) -> Scenario:
        """All phases at one rate: a number a second, `500/s`, or `max`; raises ScenarioError.

        At `max` the clock inside messages moves as it did, so that what takes its time comes after
        as many messages as before.
        """
        if rate == rates.MAX:
            changes = [{"rate": rate, "clock": phase.usual} for phase in self.phases]
        else:
            changes = [{"rate": parse_rate(rate)} for _ in self.phases]
        phases = zip(self.phases, changes, strict=True)
        return self.model_copy(
            update={"phases": tuple(phase.model_copy(update=change) for phase, change in phases)}
        )

    def with_raw(self, raw: str) -> Scenario:
        """With raw events `single`, in `bundles`, or `both`; raises ScenarioError."""
        if raw not in get_args(Raw):
            raise ScenarioError(f"raw {raw!r}: expected {', '.join(get_args(Raw))}")
        server = self.server.model_copy(update={"raw": raw})
        return self.model_copy(update={"server": server})

    @property
    def unreached(self) -> list[str]:
        """A sentence for each injection that comes after the end of its phase, and each fault that
        comes after that of the run.
        """
        length = sum(phase.length for phase in self.phases)
        late = [
            f"the fault at {fault.at or fault.start:g} s never happens, since the run ends at "
            f"{length:g} s"
            for fault in self.faults
            if (fault.at or fault.start) >= length
        ]
        return late + [
            f"phase {phase.name!r}: the injection at {injection.at:g} s never happens, since the "
            f"phase ends at {phase.length:g} s"
            for phase in self.phases
            for injection in phase.inject
            if injection.at >= phase.length
        ]

    def up_to(self, count: int) -> Scenario:
        """The scenario until it has sent that many messages: its last phase goes on for them."""
        last = self.phases[-1].model_copy(update={"duration": None, "count": count})
        return self.model_copy(update={"phases": (*self.phases[:-1], last)})
