"""The schemas of raw events, in protobuf's JSON mapping with the proto's field names."""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from cbsim.catalog import RawEvent, bytes_lengths, notation
from cbsim.wire.sensor_events_pb2 import DESCRIPTOR

__all__ = ["EVENT", "interface", "raw_event"]

Schema = dict[str, Any]

EVENT = "CbEventMsg"
"""The message that every raw event is."""


def interface() -> Schema:
    """Every message of the proto as a `$def`, CbEventMsg itself as the schema."""
    messages = DESCRIPTOR.message_types_by_name
    defs = {name: _message(one) for name, one in messages.items() if name != EVENT}
    return {
        "title": EVENT,
        "description": "A raw event in protobuf's JSON mapping, with the field names of "
        "proto/sensor_events.proto.",
        "$comment": "wire: sensor_events.fields.json",
    } | _message(messages[EVENT]) | {"$defs": defs}  # fmt: skip


def _message(descriptor: Descriptor) -> Schema:
    properties: Schema = {}
    required: list[str] = []
    for field in descriptor.fields:
        value = _proto_value(descriptor, field)
        properties[field.name] = {"type": "array", "items": value} if _repeated(field) else value
        if _needed(field):
            required.append(field.name)
    body: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return body | ({"required": required} if required else {})


def _proto_value(message: Descriptor, field: FieldDescriptor) -> Schema:
    if field.message_type is not None:
        return {"$ref": f"#/$defs/{field.message_type.name}"}
    if field.enum_type is not None:
        return {"title": field.enum_type.name, "enum": [it.name for it in field.enum_type.values]}
    if field.type == field.TYPE_BYTES:
        return _bytes(bytes_lengths(message.name, field.name))
    said = notation(field.name) if field.type not in (field.TYPE_STRING, field.TYPE_BOOL) else None
    return _PROTO_TYPES[field.type] | ({"description": said} if said else {})


_PROTO_TYPES: dict[int, Schema] = {
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_INT32: {
        "title": "int32", "type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1,
    },
    FieldDescriptor.TYPE_UINT32: {
        "title": "uint32", "type": "integer", "minimum": 0, "maximum": 2**32 - 1,
    },
    FieldDescriptor.TYPE_INT64: {
        "title": "int64 as a string", "type": "string", "pattern": r"^-?\d{1,19}$",
    },
    FieldDescriptor.TYPE_UINT64: {
        "title": "uint64 as a string", "type": "string", "pattern": r"^\d{1,20}$",
    },
}  # fmt: skip


def _bytes(lengths: tuple[int, ...]) -> Schema:
    body: Schema = {"type": "string", "contentEncoding": "base64"}
    if not lengths:
        return {"title": "bytes in base64"} | body | {"pattern": "^[A-Za-z0-9+/]*={0,2}$"}
    forms = []
    for length in sorted(lengths):
        padding = -length % 3
        digits = (length + 2) // 3 * 4 - padding
        forms.append(f"[A-Za-z0-9+/]{{{digits}}}{'=' * padding}" if length else "")
    said = f"{min(lengths)} to {max(lengths)}" if len(lengths) > 1 else str(*lengths)
    title = f"{said} bytes in base64"
    pattern = f"^(?:{'|'.join(forms)})$" if len(forms) > 1 else f"^{forms[0]}$"
    return {"title": title} | body | {"pattern": pattern}


def _repeated(field: FieldDescriptor) -> bool:
    # Newer releases of protobuf have the property, older ones only the label.
    repeated = getattr(field, "is_repeated", None)
    return bool(_label(field) == field.LABEL_REPEATED if repeated is None else repeated)


def _needed(field: FieldDescriptor) -> bool:
    needed = getattr(field, "is_required", None)
    return bool(_label(field) == field.LABEL_REQUIRED if needed is None else needed)


def _label(field: FieldDescriptor) -> object:
    return getattr(field, "label", None)


def raw_event(event: RawEvent) -> Schema:
    """What a routing key must carry: which message, and for processes whether one started."""
    carriers = [
        field.name
        for field in DESCRIPTOR.message_types_by_name[EVENT].fields
        if field.name not in ("header", "strings", "env", "internalUse")
    ]
    properties = _sources(event)
    properties |= {name: False for name in carriers if name not in event.carries}
    if event.created is not None:
        properties["process"]["properties"]["created"] |= {"const": event.created}
        properties["process"]["required"] = ["created"]
    for path in event.inner:
        outer, _, inner = path.partition(".")
        choices = [inner, *(other.partition(".")[2] for other in event.instead)]
        properties[outer] |= {"required": choices} if len(choices) == 1 else {
            "anyOf": [{"required": [choice]} for choice in choices]
        }  # fmt: skip
    body: Schema = {
        "title": event.name,
        "description": f"{event.meaning} {event.note or ''}".strip(),
        "$comment": "wire: Routing keys",
        "$ref": f"{EVENT}.schema.json",
        "properties": properties,
    }
    if len(event.carries) == 1:
        return body | {"required": [*event.carries]}
    return body | {"anyOf": [{"required": [name]} for name in event.carries]}


def _sources(event: RawEvent) -> Schema:
    """Of each field that servers are known to set, where that is known from."""
    said = {path: f"capture, in {often:.4g} of 1" for path, often in event.presence}
    for field in event.uncaptured:
        since = max(field.since, event.since)
        said[field.path] = f"{field.origin}, from {since} on"
    root: Schema = {}
    for path, words in said.items():
        *outer, last = path.split(".")
        properties = root
        for part in outer:
            properties = properties.setdefault(part, {}).setdefault("properties", {})
        properties.setdefault(last, {})["$comment"] = words
    if strings := root.get("strings"):
        root["strings"] = {"items": strings}
    return root
