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
from cbsim.scenario.threshold import Threshold, parse_threshold
from cbsim.world.setting import EstateSize, Part, Rate, Raw, Seconds, Server, parsed

__all__ = ["BusModel", "EstateSize", "Injection", "Phase", "Scenario", "Server"]


class BusModel(Part):
    """The exchanges on the broker."""

    events: str = "api.events"
    raw: str = "api.rawsensordata"
    durable: bool = True
    passive: bool = Field(False, description="expect the exchanges to be there; declare nothing")
    persistent: bool = Field(
        False, description="messages outlive the broker in durable queues; real servers' do not"
    )


class Ramp(Part):
    """From one rate to another over the phase."""

    start: Rate = Field(alias="from")
    end: Rate = Field(alias="to")


class Sine(Part):
    """A rate that swings around a mean."""

    mean: Rate
    amplitude: Rate
    period: Seconds

    @model_validator(mode="after")
    def _above_zero(self) -> Sine:
        if self.amplitude > self.mean or self.period <= 0:
            raise ValueError("expected an amplitude of at most the mean and a period above 0")
        return self


class Burst(Part):
    """A base rate and a peak that comes again and again."""

    base: Rate
    peak: Rate
    every: Seconds
    length: Seconds = Field(alias="for")

    @model_validator(mode="after")
    def _fits(self) -> Burst:
        if not 0 < self.length < self.every:
            raise ValueError("expected `for` above 0 and below `every`")
        return self


class Step(Part):
    """One stair."""

    rate: Rate
    length: Seconds = Field(alias="for")


class RateModel(Part):
    """A rate that is not constant: exactly one of these."""

    ramp: Ramp | None = None
    sine: Sine | None = None
    burst: Burst | None = None
    steps: tuple[Step, ...] | None = Field(None, min_length=1)
    poisson: Rate | None = None

    @model_validator(mode="after")
    def _one(self) -> RateModel:
        if len(self.model_fields_set) != 1:
            raise ValueError("expected exactly one of ramp, sine, burst, steps, poisson")
        return self

    @property
    def mean(self) -> float:
        """Messages a second in the long run."""
        if self.ramp is not None:
            return (self.ramp.start + self.ramp.end) / 2
        if self.sine is not None:
            return self.sine.mean
        if self.burst is not None:
            it = self.burst
            return it.base + (it.peak - it.base) * it.length / it.every
        if self.steps is not None:
            whole = sum(step.length for step in self.steps)
            return sum(step.rate * step.length for step in self.steps) / whole
        assert self.poisson is not None
        return self.poisson


class HitBy(Part):
    """A sensor is hit by a report."""

    sensor: int = Field(ge=1)
    report: str = Field(description="a report's id, or a feed's name for its first report")


class Ransomware(Part):
    """Ransomware runs on one endpoint."""

    sensor: int = Field(ge=1)
    files: int = Field(100, ge=1, le=100_000)


class SpreadOver(Part):
    """A new binary begins to spread."""

    sensors: int = Field(ge=1, le=1_000_000)


class Injection(Part):
    """Something that happens at a moment of the phase: exactly one thing."""

    at: Seconds
    hit: HitBy | None = None
    ransomware: Ransomware | None = None
    spread: SpreadOver | None = None

    @model_validator(mode="after")
    def _one(self) -> Injection:
        if len(self.model_fields_set - {"at"}) != 1:
            raise ValueError("expected exactly one of hit, ransomware, spread beside `at`")
        return self


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

    name: str = "phase"
    duration: Seconds | None = Field(None, description="how long; `rate: max` counts the wall's")
    count: int | None = Field(None, ge=1, le=10**15, description="how many messages")
    rate: Literal["max"] | RateModel | Rate | None = Field(
        None, description="`500/s`, `max`, or a profile; without one, the sum of the mix's rates"
    )
    source: Literal["world", "strategies"] = Field(
        "world",
        description="what the simulated endpoints do, or what Hypothesis' strategies draw: corner "
        "cases, bundles (`bundle` in the mix), odd messages (`odd`, or a kind such as "
        "`odd.empty-docs`) and broken ones (`malformed`, or a kind such as `malformed.zip-bomb`)",
    )
    mix: dict[str, Annotated[float, Field(ge=0)] | Rate] = Field(
        default_factory=lambda: {"*": 1.0},
        description="names or patterns with their weights, or all with rates such as `5/s`; a "
        "pattern's weight is shared out as real servers do, of `strategies` evenly",
    )
    corpus: int = Field(
        200,
        ge=1,
        le=10_000,
        description="of `strategies`: how many messages are drawn ahead, to be sent in turn",
    )
    clock: Rate | None = Field(
        None, description="at `max`: messages a second by which the clock inside messages moves"
    )
    cover: bool = Field(False, description="begin with one message of each name in the mix")
    inject: tuple[Injection, ...] = ()

    @property
    def usual(self) -> float:
        """Messages a second by the clock inside messages, in the long run."""
        if isinstance(self.rate, RateModel):
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

    that: str
    ends: bool = False


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

    server: Server = Server()
    bus: BusModel = BusModel()
    estate: EstateSize = EstateSize()
    seed: int = Field(1, ge=-(2**63), lt=2**63)
    phases: tuple[Phase, ...] = Field(min_length=1)
    thresholds: tuple[Judged, ...] = Field(
        (),
        description="what must hold: `depth < 10000`, `lag_p99 < 2s`; or with `ends: true`, "
        "`that` must hold or the run ends",
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
        """A sentence for each injection that comes after the end of its phase."""
        return [
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
