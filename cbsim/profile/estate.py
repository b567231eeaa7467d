"""The estate behind a recording: how many endpoints, groups and binaries it shows."""

from __future__ import annotations

from base64 import b64decode
from collections import Counter, defaultdict
from collections.abc import Mapping

from cbsim.profile.model import Endpoints

__all__ = ["EstateTally"]

Fields = Mapping[str, object]

_SYSTEMS = ("windows", "linux", "osx")
_OF_MACOS = ("/Applications/", "/System/", "/Library/", "/Users/", "/private/")
_HASHES = (("process", "md5hash"), ("modload", "md5hash"), ("module", "md5"))
"""Where raw events have a binary's MD5."""
_PATHS = (("header", "process_path"), ("childproc", "path"), ("process", "parent_path"))
_NAMING = ("hostname", "server_name", "username", "group", "feed_name", "watchlist_name",
           "assigned_to")  # fmt: skip
_ARRIVED, _CAME_TO = "binaryinfo.observed", "binaryinfo.host.observed"


class EstateTally:
    """Counts what is different in messages: sensors, groups, binaries, operating systems."""

    def __init__(self) -> None:
        self._sensors: set[int] = set()
        self._groups: set[str] = set()
        self._binaries: set[str] = set()
        self._systems: defaultdict[int, Counter[str]] = defaultdict(Counter)
        self._new: Counter[str] = Counter()
        self.naming: set[str] = set()
        """Words that name a person, host or something of theirs, in lower case."""

    def notification(self, name: str, fields: Fields) -> None:
        """Count what a notification tells of."""
        self._new[name] += name in (_ARRIVED, _CAME_TO)
        documents = fields.get("docs")
        inner = documents if isinstance(documents, list) else []
        for told in (fields, *(document for document in inner if isinstance(document, dict))):
            sensor = _whole(told.get("sensor_id")) or _whole(fields.get("sensor_id"))
            self._seen(sensor, str(told.get("os_type", "")).lower())
            self._groups.update(_texts(told.get("group")))
            for field in ("md5", "process_md5"):
                self._binaries.update(_texts(told.get(field)))
            for field in _NAMING:
                self.naming.update(_texts(told.get(field)))

    def event(self, fields: Fields) -> None:
        """Count what a raw event tells of."""
        endpoint = _inside(_inside(fields, "env"), "endpoint")
        self._seen(_whole(endpoint.get("SensorId")), _system(fields))
        for message, field in _HASHES:
            if isinstance(found := _inside(fields, message).get(field), str):
                digest = b64decode(found)
                # A module's is in hex already.
                self._binaries.add(digest.hex() if len(digest) == 16 else digest.decode("latin-1"))
        self.naming.update(_texts(endpoint.get("SensorHostName")))
        self.naming.update(_texts(_inside(fields, "process").get("username")))

    def endpoints(self) -> Endpoints:
        """What was seen."""
        systems = Counter(_likeliest(found) for found in self._systems.values())
        whole = systems.total()
        came = self._new[_CAME_TO] / self._new[_ARRIVED] if self._new[_ARRIVED] else 0.0
        return Endpoints.model_validate(
            {
                "sensors": len(self._sensors) or None,
                "groups": len(self._groups) or None,
                "binaries": len(self._binaries) or None,
                "os": {name: round(systems[name] / whole, 4) for name in _SYSTEMS}
                if whole else None,
                "spread": max(1.0, round(came, 2)) if came else None,
            }
        )  # fmt: skip

    def _seen(self, sensor: int, system: str) -> None:
        if sensor:
            self._sensors.add(sensor)
            if system in _SYSTEMS:
                self._systems[sensor][system] += 1


def _system(event: Fields) -> str:
    """What a sensor runs, by an event's paths; empty where none tells."""
    for message, field in _PATHS:
        path = str(_inside(event, message).get(field, ""))
        if "\\" in path:
            return "windows"
        if path.startswith(_OF_MACOS):
            return "osx"
        if path.startswith("/"):
            return "linux"
    return ""


def _likeliest(told: Counter[str]) -> str:
    """The system of a sensor: macOS has the paths of Linux beside its own."""
    return "osx" if told["osx"] and not told["windows"] else told.most_common(1)[0][0]


def _inside(fields: Fields, name: str) -> Fields:
    found = fields.get(name)
    return found if isinstance(found, dict) else {}


def _texts(value: object) -> list[str]:
    """The texts of a field that holds one or several, in lower case."""
    each = value if isinstance(value, list) else [value]
    return [text.lower() for text in each if isinstance(text, str) and text]


def _whole(value: object) -> int:
    """A number, as such or in a string; 0 for anything else."""
    text = str(value)
    return int(text) if text.isdigit() and not isinstance(value, bool) else 0
