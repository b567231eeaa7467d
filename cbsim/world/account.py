"""The accounts that processes run as, besides people's."""

from __future__ import annotations

from functools import lru_cache
from zlib import crc32

from cbsim.world.estate import User

__all__ = ["service_account"]

_WINDOWS = {
    "system": User("system", "NT AUTHORITY\\SYSTEM", "S-1-5-18"),
    "local service": User("local service", "NT AUTHORITY\\LOCAL SERVICE", "S-1-5-19"),
    "network service": User("network service", "NT AUTHORITY\\NETWORK SERVICE", "S-1-5-20"),
}
_UIDS = {
    # Fixed by Debian, and by macOS.
    "root": 0, "man": 6, "www-data": 33, "_apt": 42, "_mdnsresponder": 65, "_windowserver": 88,
    "_spotlight": 89, "_softwareupdate": 200, "_locationd": 205, "_timed": 266, "_trustd": 282,
}  # fmt: skip


@lru_cache(maxsize=256)
def service_account(os: str, name: str) -> User:
    """The account of that name on endpoints of an operating system; on POSIX root is uid 0."""
    if os == "windows":
        return _WINDOWS[name]
    # Packages get theirs from 100 on as they are installed.
    uid = _UIDS.get(name, 100 + crc32(name.encode()) % 400)
    return User(name, name, str(uid))
