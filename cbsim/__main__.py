"""`python -m cbsim`: the command line."""

from __future__ import annotations

from cbsim.cli import main

if __name__ == "__main__":
    main()
