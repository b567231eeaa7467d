"""The schemas: fresh, whole, and neither too strict for real traffic nor too lax for mistakes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import example as also
from hypothesis import given
from hypothesis import strategies as st

from cbsim.catalog import NOTIFICATIONS, RAW_EVENTS, Dialect, ServerVersion, lookup, names
from cbsim.checks import RULES, InvalidMessage, broken, iter_errors, validate
from cbsim.checks.schema import BASE, location, schema_of, schemas, write
from cbsim.errors import CatalogError
from cbsim.shipped import folder
from tests.support.specification import examples
from tests.support.stream import everything, readings, sent

EVERY = [(name, dialect) for name in NOTIFICATIONS for dialect in Dialect]
KNOWN = [name for name, it in NOTIFICATIONS.items() if not it.guessed]
EVERY += [(name, Dialect.OBSERVED) for name in RAW_EVENTS]


def test_committed_schemas_are_fresh(tmp_path: Path) -> None:
    write(tmp_path)
    written = {path.relative_to(tmp_path): path.read_text() for path in tmp_path.glob("*/*.json")}
    shipped = folder("schemas")
    committed = {path.relative_to(shipped): path.read_text() for path in shipped.glob("*/*.json")}
    assert written == committed, "run `make schemas`"


@pytest.mark.parametrize("path", schemas())
def test_every_schema_is_valid_and_refers_to_its_neighbours(path: str) -> None:
    schema = schemas()[path]
    jsonschema_rs.meta.validate(schema)
    assert schema["$id"] == BASE + path
    for reference in references(schema):
        file, _, inside = reference.partition("#/$defs/")
        home = (Path(path).parent / file).as_posix() if file else path
        home = home.replace("documented/../", "")
        assert home in schemas()
        assert not inside or inside in schemas()[home]["$defs"]


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        node = list(node.values())
    for part in node if isinstance(node, list) else ():
        yield from references(part)


def fields(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if "examples" in node:
            yield node
        node = list(node.values())
    for part in node if isinstance(node, list) else ():
        yield from fields(part)


@pytest.mark.parametrize("path", schemas())
def test_examples_in_the_schemas_are_valid(path: str) -> None:
    for field in fields(schemas()[path]):
        for example in field["examples"]:
            jsonschema_rs.validate(field, example)


@pytest.mark.parametrize(("name", "dialect"), EVERY)
def test_every_field_has_a_title_and_a_source(name: str, dialect: Dialect) -> None:
    schema = schema_of(name, dialect)
    assert schema["title"] == name
    assert schema["description"]
    for field in schema.get("properties", {}).values() if name in NOTIFICATIONS else ():
        assert field["title"]
        assert field["$comment"]


def mended(text: str) -> dict[str, Any]:
    """A printed example; three of them lack a comma at the end of a line."""
    return json.loads(re.sub(r'(["\d}])[ \t]*\n(\s*")', r"\1,\n\2", text))


def test_the_specifications_examples_are_observed(shared: Path) -> None:
    found = dict(examples((shared / "spec" / "cb-server-api.txt").read_text()))
    assert len(found) == 12
    for name, text in found.items():
        assert list(iter_errors(mended(text), name)) == [], name


def test_every_capture_is_observed(shared: Path) -> None:
    from cbsim.bus.recording import recorded

    stream = list(recorded(shared / "captures"))
    assert stream
    warned = {rule.name for rule in RULES if rule.warning}
    for name, message in readings(stream):
        if "computer_name" in message:
            continue  # a forwarder's line, that the bus never carries
        assert list(iter_errors(message, name)) == [], name
        assert {problem.rule for problem in broken(message, name)} <= warned, name


@cache
def corpus(version: ServerVersion, dialect: Dialect) -> list[tuple[str, dict[str, Any]]]:
    return list(readings(sent(everything(version, dialect, count=1200))))


@pytest.mark.parametrize("version", ServerVersion)
@pytest.mark.parametrize("dialect", Dialect)
def test_what_is_generated_is_valid(version: ServerVersion, dialect: Dialect) -> None:
    stream = corpus(version, dialect)
    assert {name for name, _ in stream} == set(names(version))
    warned = {rule.name for rule in RULES if rule.warning}
    for name, message in stream:
        assert list(iter_errors(message, name, dialect)) == [], name
        assert {problem.rule for problem in broken(message, name)} <= warned, name


@cache
def valid(name: str, dialect: Dialect) -> dict[str, Any]:
    """The message of that name with the most fields, of any version that sends it."""
    found = [
        message
        for version in ServerVersion
        if lookup(name).in_version(version)
        for sent_name, message in corpus(version, dialect)
        if sent_name == name
    ]
    return max(found, key=lambda message: len(str(message)))


def changed(message: Any, pointer: tuple[str | int, ...], value: Any) -> Any:
    """A copy with another value at a path; `...` takes it out."""
    copy = json.loads(json.dumps(message))
    at = copy
    for part in pointer[:-1]:
        at = at[part]
    if value is ...:
        del at[pointer[-1]]
    else:
        at[pointer[-1]] = value
    return copy


WRONG = [{"?": 1}, [[]], None, True, 3.5, "\x00?"]
JSON_TYPE = {dict: "object", list: "array", type(None): "null", bool: "boolean", float: "number",
             str: "string"}  # fmt: skip


def wrong(schema: dict[str, Any]) -> list[Any]:
    """Values of a type that a field does not have."""
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    number = {"number"} if "integer" in types else set()
    return [it for it in WRONG if JSON_TYPE[type(it)] not in {*types, *number}]


def properties(name: str, dialect: Dialect) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every field of a message and of its documents, with its schema."""
    schema = schema_of(name, dialect)
    if "$ref" in schema and name in NOTIFICATIONS:
        dialect = Dialect.OBSERVED
        schema = schema_of(name, dialect)
    for field, value in schema.get("properties", {}).items():
        if isinstance(value, dict) and name in NOTIFICATIONS:
            yield (field,), value
    document = NOTIFICATIONS[name].document if name in NOTIFICATIONS else None
    if document:
        for field, value in schemas()[f"{dialect}/{document}.schema.json"]["properties"].items():
            yield ("docs", 0, field), value


@pytest.mark.parametrize(("name", "dialect"), [it for it in EVERY if it[0] in KNOWN])
def test_a_wrong_type_is_refused_and_named(name: str, dialect: Dialect) -> None:
    message = valid(name, dialect)
    for path, schema in properties(name, dialect):
        for value in wrong(schema):
            broke = changed(message, path, value)
            found = [problem.pointer for problem in iter_errors(broke, name, dialect)]
            assert "/" + "/".join(map(str, path)) in found, (path, value)


@pytest.mark.parametrize(("name", "dialect"), EVERY)
def test_a_missing_field_is_refused_and_named(name: str, dialect: Dialect) -> None:
    message = valid(name, dialect)
    if name in RAW_EVENTS:
        required = {("header",), ("header", "version")}
    else:
        form = NOTIFICATIONS[name]
        tabled = dialect is Dialect.DOCUMENTED and NOTIFICATIONS[name].section is not None
        required = {
            (*prefix, field.name)
            for prefix, declared in (((), form.fields), (("docs", 0), form.documents))
            for field in declared
            if (not field.optional and field.documented if tabled else field.required)
            and (tabled or NOTIFICATIONS[name].since.includes(field.since))
        }
    if name in NOTIFICATIONS and NOTIFICATIONS[name].guessed:
        required = set()
    for path in required:
        problems = list(iter_errors(changed(message, path, ...), name, dialect))
        assert "/" + "/".join(map(str, path)) in [it.pointer for it in problems], path
        assert all(problem.found == "nothing" for problem in problems)


@pytest.mark.parametrize("name", [name for name, it in NOTIFICATIONS.items() if it.section])
def test_unknown_fields(name: str) -> None:
    for dialect in Dialect:
        message = changed(valid(name, dialect), ("surprise",), 1)
        problems = [problem.pointer for problem in iter_errors(message, name, dialect)]
        assert problems == (["/surprise"] if dialect is Dialect.DOCUMENTED else [])


@pytest.mark.parametrize("name", RAW_EVENTS)
def test_a_key_carries_its_own_event(name: str) -> None:
    event = RAW_EVENTS[name]
    for other, it in RAW_EVENTS.items():
        same = it.carries == event.carries and it.created == event.created
        assert (list(iter_errors(valid(other, Dialect.OBSERVED), name)) == []) == (
            same and (it.inner == event.inner or {*it.inner} <= {*event.instead})
        ), other


@pytest.mark.parametrize(
    ("path", "value"),
    [(("header", "process_md5"), "AAAA"), (("header", "process_pid"), 2**31),
     (("header", "timestamp"), 5), (("filemod", "action"), "actionFileModRename"),
     (("header", "surprise"), 1), (("strings", 0, "utf8string"), "no base64!")],
)  # fmt: skip
def test_raw_events_are_held_to_the_interface(path: tuple[str | int, ...], value: Any) -> None:
    name = "ingress.event.filemod"
    (problem,) = iter_errors(changed(valid(name, Dialect.OBSERVED), path, value), name)
    assert problem.pointer == "/" + "/".join(map(str, path))


KEYS = ("process_id", "process_guid", "id", "unique_id", "parent_unique_id", "md5", "process_md5")


@given(st.data())
def test_a_mutation_is_caught_where_it_is(data: st.DataObject) -> None:
    name, dialect = data.draw(st.sampled_from([it for it in EVERY if it[0] in KNOWN]))
    message = valid(name, dialect)
    spots = [(path, schema) for path, schema in properties(name, dialect)
             if path[-1] in (message if len(path) == 1 else message["docs"][0])]  # fmt: skip
    path, schema = data.draw(st.sampled_from(spots))
    value = message[path[0]] if len(path) == 1 else message["docs"][0][path[2]]
    if path[-1] in KEYS and isinstance(value, str) and "pattern" in schema:
        where = data.draw(st.integers(0, len(value) - 1))
        broke = value[:where] + data.draw(st.sampled_from("gG_ ")) + value[where + 1 :]
    else:
        broke = data.draw(st.sampled_from(wrong(schema)))
    problems = list(iter_errors(changed(message, path, broke), name, dialect))
    assert ["/" + "/".join(map(str, path))] == [problem.pointer for problem in problems]


BREAKS: dict[str, tuple[str, tuple[str | int, ...], Any]] = {
    "process-key": ("feed.storage.hit.process", ("docs", 0, "process_pid"), 3),
    "unique-id": ("feed.storage.hit.process", ("segment_id",), 99),
    "ioc-value": ("feed.ingress.hit.binary", ("ioc_value",), "example.com"),
    "digsig": ("watchlist.hit.binary", ("docs", 0, "digsig_result_code"), "77"),
    "string-guid": ("ingress.event.filemod", ("header", "filepath_string_guid"), "1"),
    "store-path": ("binarystore.file.added", ("file_path",), "/var/cb/data/modulestore/a.zip"),
    "document-md5": ("feed.storage.hit.binary", ("md5",), "0" * 32),
    "own-name": ("alert.watchlist.hit.query.binary", ("alert_type",), "watchlist.hit"),
    "time-plausible": ("binaryinfo.observed", ("event_timestamp",), 12.5),
    "time-order": ("watchlist.hit.process", ("docs", 0, "last_update"), "2011-01-01T00:00:00Z"),
    "hindsight": ("watchlist.hit.process", ("event_timestamp",), 1400000000.5),
    "parent-guid": ("ingress.event.childproc", ("childproc", "parent_guid"), "1"),
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_finds_what_breaks_it(rule: Any) -> None:
    name, path, value = BREAKS[rule.name]
    stream = readings(sent(everything(ServerVersion.V5_2, Dialect.OBSERVED, count=20_000)))
    message = next(it for kind, it in stream
                   if kind == name and (rule.name != "digsig" or
                                        it["docs"][0]["digsig_result"] == "Signed"))  # fmt: skip
    assert rule.name not in [problem.rule for problem in broken(message, name)]
    problems = [it for it in broken(changed(message, path, value), name) if it.rule == rule.name]
    assert problems
    assert all(problem.warning == rule.warning for problem in problems)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["Signed", "0x0", "-1", "9" * 20, "2024-01-01T00:00:00Z", "md5", "0" * 32]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)  # fmt: skip
SAID = sorted({word for rule in RULES for word in rule.fields} | {
    "digsig_result_code", "signed", "digsig_publisher", "utf8_DigSig_Result", "guid", "created",
    "utf8_DigSig_ResultCode", "filepath_string_guid", "process_guid", "process_create_time",
    "parent_guid", "sensor_id", "process_pid", "start", "segment_id", "ioc_type",
})  # fmt: skip


@given(
    st.sampled_from([*NOTIFICATIONS, *RAW_EVENTS]),
    st.recursive(
        ANYTHING,
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(st.sampled_from([*SAID, "docs", "header"]), inner, max_size=5)
        ),
    ),
)
@also("watchlist.hit.binary", {"docs": [{"digsig_result": ["Signed"]}]})
@also("ingress.event.module", {"module": {"utf8_DigSig_Result": {}}})
def test_rules_take_any_json(name: str, message: object) -> None:
    for problem in broken(message, name):
        assert str(problem)


def test_validate_raises_one_sentence() -> None:
    with pytest.raises(InvalidMessage, match=r"binarystore\.file\.added: /md5: expected a string"):
        validate(changed(valid("binarystore.file.added", Dialect.OBSERVED), ("md5",), 1),
                 "binarystore.file.added")  # fmt: skip
    with pytest.raises(CatalogError, match="did you mean"):
        validate({}, "watchlist.hit.proces")


def test_locations() -> None:
    assert location("ingress.event.filemod", Dialect.DOCUMENTED).startswith("raw/")
