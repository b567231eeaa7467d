"""Findings of a validation for a person, a program, JUnit, or annotations on GitHub."""

from __future__ import annotations

from typing import TextIO
from xml.etree import ElementTree

import orjson

from cbsim.checks.validation import Finding, Group, Tally
from cbsim.printable import printable, printable_json
from cbsim.report.annotation import annotation

__all__ = ["FORMATS", "handler"]

_SHOWN = 3


class Text:
    """A line a finding, the first few of those that are alike, and a summary."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def finding(self, finding: Finding, before: int) -> None:
        """Show a finding; there were that many like it before."""
        if before < _SHOWN:
            kind = "warning: " if finding.problem.warning else ""
            self._out.write(f"{_where(finding)}: {kind}{_sentence(finding)}\n")

    def end(self, tally: Tally) -> None:
        """Show what it came to."""
        for group in tally.groups.values():
            more = group.count - _SHOWN
            if more > 0:
                pointer = printable(group.first.problem.pointer) or "the message"
                self._out.write(
                    f"{more:,} more like {_where(group.first)}: {group.first.name} {pointer}\n"
                )
        if tally.others:
            self._out.write(f"{tally.others:,} more of other kinds\n")
        valid = tally.messages - tally.invalid
        line = f"{tally.messages:,} messages: {valid:,} valid, {tally.invalid:,} invalid"
        self._out.write(line + (f", {tally.warned:,} with warnings\n" if tally.warned else "\n"))


class Json:
    """One JSON object at the end: counts, and groups with their first examples."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def finding(self, finding: Finding, before: int) -> None:
        """Nothing until the end."""

    def end(self, tally: Tally) -> None:
        """Write the object."""
        report = {
            "messages": tally.messages,
            "valid": tally.messages - tally.invalid,
            "invalid": tally.invalid,
            "warned": tally.warned,
            "others": tally.others,
            "groups": [_group(group) for group in tally.groups.values()],
        }
        text = orjson.dumps(report, option=orjson.OPT_INDENT_2).decode()
        self._out.write(printable_json(text) + "\n")


class Junit:
    """A test suite with a test case for each kind of problem, and one for what is valid."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def finding(self, finding: Finding, before: int) -> None:
        """Nothing until the end."""

    def end(self, tally: Tally) -> None:
        """Write the document."""
        failed = [group for group in tally.groups.values() if not group.first.problem.warning]
        suite = ElementTree.Element(
            "testsuite", name="cbsim validate", tests=str(len(failed) + 1),
            failures=str(len(failed)), errors="0",
        )  # fmt: skip
        valid = ElementTree.SubElement(suite, "testcase", classname="messages", name="valid")
        said = ElementTree.SubElement(valid, "system-out")
        said.text = f"{tally.messages - tally.invalid} of {tally.messages} messages are valid"
        for group in failed:
            problem = group.first.problem
            case = ElementTree.SubElement(
                suite, "testcase", classname=group.first.name or "unreadable",
                name=f"{printable(problem.pointer) or 'the message'} ({problem.rule})",
            )  # fmt: skip
            failure = ElementTree.SubElement(
                case, "failure", message=_sentence(group.first), type=problem.rule
            )
            failure.text = f"{group.count} times, such as\n" + "\n".join(
                f"{_where(one)}: {_sentence(one)}" for one in group.examples
            )
        ElementTree.indent(suite)
        self._out.write(ElementTree.tostring(suite, "unicode", xml_declaration=True) + "\n")


class Github:
    """Workflow commands that GitHub shows as annotations, the first few of those that are alike."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def finding(self, finding: Finding, before: int) -> None:
        """Write an annotation."""
        if before < _SHOWN:
            level = "warning" if finding.problem.warning else "error"
            file, line = finding.record.file, finding.record.line
            self._out.write(annotation(level, _sentence(finding), file, line) + "\n")

    def end(self, tally: Tally) -> None:
        """Write what it came to."""
        level = "error" if tally.invalid else "notice"
        said = f"{tally.invalid} of {tally.messages} messages are invalid"
        self._out.write(annotation(level, said) + "\n")


Handler = Text | Json | Junit | Github
FORMATS: dict[str, type[Handler]] = {"text": Text, "json": Json, "junit": Junit, "github": Github}


def handler(form: str, out: TextIO) -> Handler:
    """The handler of findings for a format of FORMATS."""
    return FORMATS[form](out)


def _where(finding: Finding) -> str:
    return printable(finding.where, limit=1000)


def _sentence(finding: Finding) -> str:
    problem = finding.problem
    if problem.rule in ("unreadable", "unknown-kind"):
        return printable(problem.found, limit=1000)
    return f"{finding.name} {problem}"


def _group(group: Group) -> dict[str, object]:
    problem = group.first.problem
    return {
        "name": group.first.name,
        "pointer": problem.pointer,
        "rule": problem.rule,
        "expected": problem.expected,
        "source": problem.source,
        "warning": problem.warning,
        "count": group.count,
        "examples": [
            {"file": one.record.file, "line": one.record.line,
             "part": one.part or one.record.part, "pointer": one.problem.pointer,
             "found": one.problem.found}
            for one in group.examples
        ],
    }  # fmt: skip
