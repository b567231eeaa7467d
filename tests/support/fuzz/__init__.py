"""Fuzzing of whatever reads what others wrote: `python -m tests.support.fuzz TARGET`."""
