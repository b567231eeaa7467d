"""What one's own server does differently: learned from a recording, kept in a file, applied."""

from __future__ import annotations

from cbsim.profile.learner import Learner
from cbsim.profile.model import Profile

__all__ = ["Learner", "Profile"]
