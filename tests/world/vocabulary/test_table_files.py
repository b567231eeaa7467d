"""What a table's text means, and how it says what is wrong with it."""

from __future__ import annotations

import pytest

from cbsim.errors import InputError
from cbsim.world.vocabulary import OSES, Connection, Program, load, parse

TABLE = r"""
[defaults]
account = "user"
parents = ["explorer.exe"]
commands = ['"{path}" ']
libraries = ["base"]

[publishers]
acme = { name = "Acme", issuer = "Acme CA" }
nobody = { name = "" }

[products]
anvil = { publisher = "acme", name = "Anvil", version = "1.2" }
hammer = { publisher = "acme", name = "Hammer", version = "3.4", bits = 32 }

[libraries.base]
folder = 'C:\Windows\System32'
names = "ntdll Comctl32 wow.ocx"

[libraries.wow64]
folder = 'C:\Windows\System32'
names = "wow64"

[libraries.own]
folder = 'C:\Program Files\Acme'
include = ["base"]
names = "acme"
system = false

[[programs]]
path = 'C:\Program Files\Acme\Anvil.exe'
product = "anvil"
description = "Anvils"
kind = "utility"
"""


def anvil(more: str = "", table: str = TABLE) -> Program:
    return parse("windows", table + more, "windows.toml").programs[0]


def complaint(more: str = "", table: str = TABLE) -> str:
    with pytest.raises(InputError) as caught:
        anvil(more, table)
    return str(caught.value)


def test_a_program_has_what_its_row_and_the_defaults_say() -> None:
    assert anvil() == Program(
        path=r"c:\program files\acme\anvil.exe",
        publisher="acme",
        product="Anvil",
        description="Anvils",
        version="1.2",
        kind="utility",
        account="user",
        parents=("explorer.exe",),
        commands=(r'"C:\Program Files\Acme\Anvil.exe" ',),
        libraries=(
            r"c:\windows\system32\ntdll.dll",
            r"c:\windows\system32\comctl32.dll",
            r"c:\windows\system32\wow.ocx",
        ),
        files=(),
        keys=(),
        connections=(),
        lifetime="brief",
        mainly="loads",
        weight=1.0,
    )


def test_hives_and_folders_stand_for_what_they_do_on_an_endpoint() -> None:
    program = anvil(
        r"""
keys = ['HKLM\software\Acme', 'HKCU\software\acme']
files = ['~\x', '%appdata%\x', '%localappdata%\x', '%temp%\x', 'C:\X']
"""
    )
    assert program.keys == (
        r"\registry\machine\software\acme",
        r"\registry\user\{sid}\software\acme",
    )
    assert program.files == (
        r"c:\users\{user}\x",
        r"c:\users\{user}\appdata\roaming\x",
        r"c:\users\{user}\appdata\local\x",
        r"c:\users\{user}\appdata\local\temp\x",
        r"c:\x",
    )


def test_libraries_are_sets_files_beside_the_program_and_paths() -> None:
    program = anvil(r"""libraries = ["own", 'sub\a.dll', 'D:\b.dll']""")
    assert program.libraries[3:] == (
        r"c:\program files\acme\acme.dll",
        r"c:\program files\acme\sub\a.dll",
        r"d:\b.dll",
    )


def test_what_comes_with_the_system_is_known_with_its_32_bit_twins() -> None:
    table = TABLE.replace('product = "anvil"', 'product = "hammer"\nlibraries = ["own"]')
    vocabulary = parse("windows", table, "windows.toml")
    assert vocabulary.programs[0].libraries == (
        r"c:\windows\syswow64\ntdll.dll",
        r"c:\windows\syswow64\comctl32.dll",
        r"c:\windows\syswow64\wow.ocx",
        r"c:\program files\acme\acme.dll",
        r"c:\windows\system32\wow64.dll",
    )
    assert set(vocabulary.libraries) == {
        rf"c:\windows\{folder}\{name}"
        for folder in ("system32", "syswow64")
        for name in ("ntdll.dll", "comctl32.dll", "wow.ocx")
    } | {r"c:\windows\system32\wow64.dll"}


def test_connections_are_read() -> None:
    program = anvil('connections = ["tcp/443 to a.example b.example", "udp/53 from lan"]')
    assert program.connections == (
        Connection("tcp", 443, False, ("a.example", "b.example")),
        Connection("udp", 53, True, ("",)),
    )


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('libraries = ["bse"]', r"C:\Program Files\Acme\Anvil.exe: no set of libraries 'bse'"),
        ('colour = "red"', r"programs.0 (C:\Program Files\Acme\Anvil.exe): colour: Extra inputs"),
        ("weight = 'heavy'", r"programs.0 (C:\Program Files\Acme\Anvil.exe): weight: Input should"),
        ("lifetime = 'long'", "lifetime: Input should be 'instant', 'brief'"),
        ("weight = ", "windows.toml: Invalid value (at"),
        *(
            (
                f'connections = ["{text}"]',
                f"connection '{text}': expected <tcp|udp>/<port> <to|from>",
            )
            for text in ("tcp/443", "tcp/443 to", "icmp/1 to lan", "tcp/x to lan", "tcp/1 at lan")
        ),
    ],
)
def test_a_wrong_row_is_named(more: str, said: str) -> None:
    assert complaint(more).startswith("windows.toml: ")
    assert said in complaint(more)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('product = "anvil"', 'product = "anvi"', "Anvil.exe: no product 'anvi'"),
        ('publisher = "acme"', 'publisher = "acne"', "products.anvil: no publisher 'acne'"),
        ('include = ["base"]', 'include = ["bse"]', "libraries.own: no set 'bse' comes before it"),
        ('include = ["base"]', 'include = ["own"]', "libraries.own: no set 'own' comes before it"),
        ('kind = "utility"', "", "Anvil.exe): kind: Field required"),
        ("[products]", "[wares]", "products: Field required"),
    ],
)
def test_what_is_missing_is_named(old: str, new: str, said: str) -> None:
    assert said in complaint(table=TABLE.replace(old, new))


def test_an_operating_system_without_a_vocabulary_is_refused() -> None:
    with pytest.raises(InputError, match="no vocabulary for 'os2', expected one of: windows"):
        load("os2")


def test_a_table_is_read_once() -> None:
    assert all(load(os) is load(os) for os in OSES)
