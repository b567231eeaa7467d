"""How fast a phase sends, as a scenario's author writes it, where that is not one number."""

from __future__ import annotations

from pydantic import Field, model_validator

from cbsim.world.setting import Part, Rate, Seconds

__all__ = ["Burst", "Ramp", "RateProfile", "Sine", "Stair"]


class Ramp(Part):
    """From one rate to another over the phase."""

    start: Rate = Field(alias="from", description="at the phase's beginning")
    end: Rate = Field(alias="to", description="at its end")


class Sine(Part):
    """A rate that swings around a mean."""

    mean: Rate = Field(description="in the long run")
    amplitude: Rate = Field(description="how far it swings up and down; at most the mean")
    period: Seconds = Field(description="from one peak to the next")

    @model_validator(mode="after")
    def _above_zero(self) -> Sine:
        if self.amplitude > self.mean or self.period <= 0:
            raise ValueError("expected an amplitude of at most the mean and a period above 0")
        return self


class Burst(Part):
    """A base rate and a peak that comes again and again."""

    base: Rate = Field(description="between bursts")
    peak: Rate = Field(description="while one lasts")
    every: Seconds = Field(description="from one burst's beginning to the next")
    length: Seconds = Field(alias="for", description="how long one lasts; less than `every`")

    @model_validator(mode="after")
    def _fits(self) -> Burst:
        if not 0 < self.length < self.every:
            raise ValueError("expected `for` above 0 and below `every`")
        return self


class Stair(Part):
    """One stair."""

    rate: Rate = Field(description="while it lasts")
    length: Seconds = Field(alias="for", description="how long it lasts")


class RateProfile(Part):
    """A rate that is not constant: exactly one of these."""

    ramp: Ramp | None = Field(
        None,
        description="from one rate to another",
        examples=[{"from": "100/s", "to": "2000/s"}],
    )
    sine: Sine | None = Field(
        None,
        description="as the day goes",
        examples=[{"mean": "200/s", "amplitude": "150/s", "period": "60s"}],
    )
    burst: Burst | None = Field(
        None,
        description="a peak again and again",
        examples=[{"base": "50/s", "peak": "2000/s", "every": "30s", "for": "2s"}],
    )
    steps: tuple[Stair, ...] | None = Field(
        None,
        min_length=1,
        description="one stair after another, from the first again after the last",
        examples=[[{"rate": "100/s", "for": "10s"}, {"rate": "500/s", "for": "10s"}]],
    )
    poisson: Rate | None = Field(
        None, description="at random moments, so many a second on average", examples=["200/s"]
    )

    @model_validator(mode="after")
    def _one(self) -> RateProfile:
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
