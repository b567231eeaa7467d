"""The JSON Schema of scenario files, for editors."""

from __future__ import annotations

import json

from cbsim.scenario.model import Scenario

__all__ = ["schema"]


def schema() -> str:
    """The JSON Schema (2020-12) of a scenario file, as text."""
    described = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://cbsim.invalid/schemas/scenario.schema.json",
    }
    described |= Scenario.model_json_schema(by_alias=True)
    return json.dumps(described, indent=2) + "\n"
