"""A test double for the Carbon Black EDR server's notification bus."""

__version__ = "0.1.0"
