"""`cbsim init`: a scenario of one's own, with what an editor needs to help with it."""

from __future__ import annotations

from pathlib import Path

import click

from cbsim.cli.completion import scenarios
from cbsim.errors import InputError
from cbsim.scenario.loader import found
from cbsim.scenario.schema import schema

__all__ = ["command"]

_SCHEMA = "scenario.schema.json"


@click.command("init", short_help="Copy a scenario, to make it your own.")
@click.argument("name", default="quickstart", shell_complete=scenarios)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
def command(name: str, file: Path | None) -> None:
    """Copy the scenario NAME (quickstart, if none is given) to FILE, or to NAME.yaml here.

    Its first line names the schema, which is put beside it: editors then complete keys, explain
    them, and mark mistakes. A file that is there already is left alone.
    """
    source = found(name)
    file = file or Path(f"{source.stem}.yaml")
    text = source.read_text(encoding="utf-8")
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(f"# yaml-language-server: $schema={_SCHEMA}\n{text}")
        file.with_name(_SCHEMA).write_text(schema(), encoding="utf-8")
    except FileExistsError:
        raise InputError(f"{file} is there already: give another name") from None
    except OSError as error:
        raise InputError(f"cannot write {error.filename}: {error.strerror}") from None
    click.echo(f"{file}: change it, then `cbsim run {file}`")
