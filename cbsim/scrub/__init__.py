"""Recordings that may be shared: what names somebody or something has a stand-in instead."""

from __future__ import annotations

from cbsim.scrub.scrubber import Scrubber

__all__ = ["Scrubber"]
