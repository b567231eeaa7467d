"""Writes every schema from the catalog and the scenario model: `make schemas`."""

from __future__ import annotations

from pathlib import Path

from cbsim.checks.schema import write
from cbsim.scenario.schema import schema

HERE = Path(__file__).parent

if __name__ == "__main__":
    write(HERE)
    (HERE / "scenario.schema.json").write_text(schema(), encoding="utf-8")
