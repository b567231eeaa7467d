"""Measures what cbsim promises, with its peers beside it: `make bench`."""
