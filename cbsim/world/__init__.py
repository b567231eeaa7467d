"""The simulated estate and what happens in it: seeded, deterministic, without I/O."""
