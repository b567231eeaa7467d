"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import cbsim
from cbsim.bus.connection import connect

__all__ = ["described"]


def described(url: str) -> dict[str, str | int | float]:
    """The machine, the versions, the load before we began, and the date."""
    connection = connect(url)
    said = connection._impl.server_properties or {}  # type: ignore[attr-defined]
    connection.close()
    broker = [said.get(name, b"") for name in ("product", "version")]
    broker = [one.decode() if isinstance(one, bytes) else str(one) for one in broker]
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "system": f"{platform.system()} {platform.release()}",
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "cbsim": cbsim.__version__,
        "pika": version("pika"),
        "protobuf": version("protobuf"),
        "broker": " ".join(broker),
    }


def _processor() -> str:
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()
