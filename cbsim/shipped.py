"""Files that travel with the package: scenarios, schemas, the proto."""

from __future__ import annotations

from pathlib import Path

__all__ = ["folder"]

_PACKAGE = Path(__file__).parent


def folder(kind: str) -> Path:
    """The folder of `scenarios`, `schemas` or `proto`: in the wheel, or in a checkout."""
    installed = _PACKAGE / "_shipped" / kind
    return installed if installed.is_dir() else _PACKAGE.parent / kind
