"""A server profile as its file has it: nothing in it names a person, host, address or file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from cbsim.catalog import ServerVersion, Shape
from cbsim.errors import CatalogError, InputError
from cbsim.printable import printable

__all__ = ["Bundles", "Endpoints", "Exchanges", "FieldUse", "NotificationUse", "Profile"]

_SHORT = 5
"""Entries of a mapping that is written on one line."""

Share = Annotated[float, Field(ge=0, le=1)]

FieldUse = dict[Shape, Share]
"""In how many of the messages, or documents, a field is there in each shape: the sum is how often
it is there at all."""


def _version(value: object) -> ServerVersion:
    try:
        return ServerVersion.parse(str(value))
    except CatalogError as error:
        raise ValueError(str(error)) from None


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class NotificationUse(_Part):
    """How a server writes one notification."""

    fields: dict[str, FieldUse]
    documents: dict[str, FieldUse] = Field(
        default_factory=dict, description="the fields of what is in `docs`"
    )
    docs: dict[int, Share] = Field(
        default_factory=dict, description="how many documents a message has, and how often"
    )
    lengths: dict[str, int] = Field(
        default_factory=dict,
        description="of texts that no other server is known to send: characters, on average",
    )


class Exchanges(_Part):
    """Where a server publishes."""

    events: str = "api.events"
    raw: str = "api.rawsensordata"


class Bundles(_Part):
    """How a server publishes bundles."""

    events: tuple[int, ...] = Field(
        min_length=1, description="events in a bundle: the least, nine deciles, the most"
    )
    zipped: Share = 1.0


class OsShares(_Part):
    """The share of the endpoints that runs each."""

    windows: Share = 0
    linux: Share = 0
    osx: Share = 0


class Endpoints(_Part):
    """The estate that was seen; what was not seen is left out."""

    sensors: int | None = Field(None, ge=1)
    groups: int | None = Field(None, ge=1)
    binaries: int | None = Field(None, ge=1, description="that are different")
    os: OsShares | None = None
    spread: float | None = Field(
        None, ge=1, description="endpoints that a new binary comes to, on average"
    )


class Profile(_Part):
    """What a server says, and how."""

    version: Annotated[ServerVersion, BeforeValidator(_version)]
    cb_version: str | None = Field(None, pattern=r"^\d+(\.\d+)+$", description="the full build")
    feed_ids: bool | None = Field(None, description="whether keys of feeds' hits carry an id")
    watchlist_ids: bool | None = Field(None, description="whether those of watchlists' hits do")
    exchanges: Exchanges = Exchanges()
    raw: Literal["single", "bundles", "both"] = "single"
    bundles: Bundles | None = None
    mix: dict[str, Share] = Field(
        min_length=1, description="the share of each notification and raw event; bundles' count one"
        " by one"
    )  # fmt: skip
    seconds: int | None = Field(None, ge=0, description="how long the recording is")
    minutes: tuple[int, ...] = Field(
        (), description="how much was said in each minute; the last one is not whole"
    )
    estate: Endpoints = Endpoints()
    notifications: dict[str, NotificationUse] = Field(default_factory=dict)
    events: dict[str, dict[str, Share]] = Field(
        default_factory=dict,
        description="of each raw event the share that sets each field (dotted path)",
    )

    @classmethod
    def load(cls, path: Path) -> Profile:
        """The profile in a file; raises InputError."""
        try:
            data = yaml.safe_load(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            said = getattr(error, "strerror", None) or error
            raise InputError(f"cannot read the profile {path}: {said}") from None
        except yaml.YAMLError as error:
            raise InputError(f"{path}: no YAML: {printable(error)}") from None
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            problem = error.errors()[0]
            where = printable(".".join(map(str, problem["loc"]))) or "profile"
            raise InputError(f"{path}: {where}: {printable(problem['msg'])}") from None

    def text(self) -> str:
        """The file: YAML, in which short mappings stand on one line."""
        data = self.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        return yaml.dump(data, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=100)


class _Dumper(yaml.SafeDumper):
    def represent_mapping(
        self, tag: str, mapping: Any, flow_style: bool | None = None
    ) -> yaml.MappingNode:
        node = super().represent_mapping(tag, mapping, flow_style)
        node.flow_style = node.flow_style and len(node.value) <= _SHORT
        return node
