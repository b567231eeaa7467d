"""Scenarios: how they are written, and how they are run."""
