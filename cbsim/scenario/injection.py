"""What happens at a moment of a phase, as a scenario's author writes it."""

from __future__ import annotations

from pydantic import Field, PrivateAttr, model_validator

from cbsim.world.setting import Part, Seconds

__all__ = ["HitBy", "Injection", "Ransomware", "SpreadOver"]


class HitBy(Part):
    """A sensor is hit by a report."""

    sensor: int = Field(ge=1, description="the id of the endpoint", examples=[7])
    report: str = Field(
        description="a report's id, or a feed's name for its first report", examples=["tor"]
    )


class Ransomware(Part):
    """Ransomware runs on one endpoint."""

    sensor: int = Field(ge=1, description="the id of the endpoint", examples=[7])
    files: int = Field(
        100, ge=1, le=100_000, description="how many files it encrypts", examples=[300]
    )


class SpreadOver(Part):
    """A new binary begins to spread."""

    sensors: int = Field(
        ge=1, le=1_000_000, description="how many endpoints it comes to", examples=[120]
    )


class Injection(Part):
    """Something that happens at a moment of the phase: exactly one thing."""

    at: Seconds = Field(description="how long after the phase's beginning, by messages' clock")
    hit: HitBy | None = Field(
        None, description="a hit by a report", examples=[{"sensor": 7, "report": "tor"}]
    )
    ransomware: Ransomware | None = Field(
        None, description="ransomware on an endpoint", examples=[{"sensor": 7, "files": 300}]
    )
    spread: SpreadOver | None = Field(
        None, description="a new binary that spreads", examples=[{"sensors": 120}]
    )
    _where: str = PrivateAttr("")

    @property
    def where(self) -> str:
        """The file and line where it is written, as the beginning of a sentence; or nothing."""
        return self._where

    def found_at(self, where: str) -> None:
        """Remember the file and line: what it names can be known as wrong only in the world."""
        self._where = f"{where}: "

    @model_validator(mode="after")
    def _one(self) -> Injection:
        if len(self.model_fields_set - {"at"}) != 1:
            raise ValueError("expected exactly one of hit, ransomware, spread beside `at`")
        return self
