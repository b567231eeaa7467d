"""Load tests: what a consumer makes of what it is sent, while it is sent."""
