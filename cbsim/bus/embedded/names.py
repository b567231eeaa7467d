"""The names that the broker makes up."""

from __future__ import annotations

import base64
import uuid

__all__ = ["unique"]


def unique() -> str:
    """Twenty-two letters that nobody has had before."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
