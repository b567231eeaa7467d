"""The compose files, their scripts and the image: what containers would run, run without them."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import compose_spec
import pytest
import yaml

from cbsim.bus.connection import connect
from cbsim.bus.local import Node, node
from cbsim.cli.health import command as health
from cbsim.cli.run import command as run
from cbsim.cli.serve import command as serve
from cbsim.errors import BrokerError
from tests.support.command import CBSIM
from tests.support.patience import until
from tests.support.port import free_port
from tests.support.serving import serving

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "compose"
DOCKERFILE = (COMPOSE / "Dockerfile").read_text()


def interpolated(name: str) -> dict[str, Any]:
    """A compose file as it is when the environment says nothing."""
    written = json.dumps(yaml.safe_load((COMPOSE / name).read_text()))
    return dict(json.loads(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", written)))


def services(name: str) -> dict[str, Any]:
    return dict(interpolated(name)["services"])


def instructions(word: str) -> list[str]:
    joined = DOCKERFILE.replace("\\\n", " ")
    return [
        line.removeprefix(word).strip() for line in joined.splitlines() if line.startswith(word)
    ]


@pytest.mark.parametrize("name", ["compose.yaml", "ci.yaml"])
def test_a_compose_file_is_one(name: str) -> None:
    text = json.dumps(interpolated(name))
    assert "$" not in text
    compose_spec.PyCompose.from_yaml(text).validate()


def test_what_is_mounted_is_there() -> None:
    for service in services("compose.yaml").values():
        for mount in service["volumes"]:
            source = mount.split(":")[0]
            assert source == "run" or (COMPOSE / source).exists(), mount


def test_ports_are_the_same_everywhere() -> None:
    default = {param.name: param.default for param in serve.params}
    bus, web = default["port"], default["health_port"]
    compose = services("compose.yaml")
    assert f"127.0.0.1:{bus}:{bus}" in compose["rabbitmq"]["ports"]
    assert f"127.0.0.1:{web}:{web}" in compose["cbsim"]["ports"]
    assert f":{bus}/" in compose["cbsim"]["environment"]["CBSIM_BROKER_URL"]
    assert f"listeners.tcp.default = {bus}\n" in (COMPOSE / "rabbitmq/rabbitmq.conf").read_text()
    assert instructions("EXPOSE") == [f"{bus} {web}"]
    assert next(one.default for one in health.params if one.name == "at").endswith(f":{web}")


def test_environment_is_what_the_commands_read() -> None:
    read = {"CBSIM_PASSWORD", "CBSIM_PASSWORD_FILE"}
    for one in (*serve.params, *run.params):
        read |= {one.envvar} if isinstance(one.envvar, str) else set()
    assert services("compose.yaml")["cbsim"]["environment"].keys() <= read
    assert services("ci.yaml")["cbsim"]["environment"].keys() <= read


def test_no_password_is_written_down() -> None:
    for file in COMPOSE.rglob("*"):
        if file.is_file():
            for line in file.read_text().splitlines():
                assert not re.search(
                    r"(?i)(password|secret|token)['\"]?\s*[:=]\s*['\"]?\w", line
                ), line


def test_commands_are_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CBSIM_SCENARIO", "quickstart")
    (entrypoint,) = map(json.loads, instructions("ENTRYPOINT"))
    (command,) = map(json.loads, instructions("CMD"))
    assert entrypoint == ["cbsim"]
    assert command == services("compose.yaml")["cbsim"]["command"]
    for line, of in (
        (command, serve),
        (services("ci.yaml")["cbsim"]["command"], run),
        (health_check()[1:], health),
    ):
        assert line[0] == of.name
        of.make_context("cbsim", [*line[1:]]).close()


def health_check() -> list[str]:
    (line,) = instructions("HEALTHCHECK")
    return list(json.loads(line[line.index("[") :]))


def test_the_image_holds_a_cbsim_that_works(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    ignored = (COMPOSE / "Dockerfile.dockerignore").read_text().splitlines()
    for line in instructions("COPY"):
        if not line.startswith("--from"):
            *names, where = line.split()
            for name in names:
                assert f"!{name}" in ignored
                to = source / where
                subprocess.run(["cp", "-r", ROOT / name, to], check=True)
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run(
        [sys.executable, *install, "--target", str(target), str(source)], check=True, timeout=80
    )
    (workdir,) = instructions("WORKDIR")[1:]
    assert workdir == "/scenarios"
    done = subprocess.run(
        [sys.executable, "-c", "from cbsim import cli; print(cli.__file__); cli.main()",
         "scenarios"],
        env={"PYTHONPATH": str(target), "PATH": os.environ["PATH"]}, cwd=tmp_path,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith(str(target))
    assert "steady-state" in done.stdout
    (user,) = instructions("USER")
    assert user.split(":")[0] not in ("root", "0")


def start(folder: Path, **environment: str) -> dict[str, Any]:
    """Runs the entry point of the RabbitMQ service, up to where the image's own goes on."""
    image = folder / "image"
    image.mkdir(exist_ok=True)
    entrypoint = image / "docker-entrypoint.sh"
    entrypoint.write_text('#!/bin/sh\nenv >"$CBSIM_RUN/environment"\necho "$@"\n')
    entrypoint.chmod(0o755)
    command = services("compose.yaml")["rabbitmq"]["entrypoint"]
    done = subprocess.run(
        [one.replace("/etc/cbsim", str(COMPOSE / "rabbitmq")) for one in command],
        env={"PATH": f"{image}:{os.environ['PATH']}", "HOME": str(folder), "CBSIM_RUN": str(folder),
             **environment},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "rabbitmq-server\n"
    assert "CBSIM_PASSWORD=" not in folder.joinpath("environment").read_text()
    return dict(json.loads(folder.joinpath("definitions.json").read_text()))


def fits(password: str, definitions: dict[str, Any]) -> bool:
    (user,) = definitions["users"]
    salted = base64.b64decode(user["password_hash"])
    return hashlib.sha256(salted[:4] + password.encode()).digest() == salted[4:]


def test_a_password_is_made_and_kept(tmp_path: Path) -> None:
    first = start(tmp_path)
    password = tmp_path.joinpath("password").read_text()
    assert re.fullmatch(r"[\w-]{24}", password)
    assert fits(password, first)
    again = start(tmp_path)
    assert tmp_path.joinpath("password").read_text() == password
    assert fits(password, again)
    assert first != again  # salted


def test_a_given_password_is_taken(tmp_path: Path) -> None:
    start(tmp_path)
    assert fits("p@ss 'wörd/", start(tmp_path, CBSIM_PASSWORD="p@ss 'wörd/"))


@pytest.fixture(scope="module")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Node, Path]]:
    """A real RabbitMQ with the configuration and the definitions of the compose file."""
    folder = tmp_path_factory.mktemp("compose")
    password = "p@ss 'wörd/"
    start(folder, CBSIM_PASSWORD=password)
    config = (COMPOSE / "rabbitmq/rabbitmq.conf").read_text()
    config = config.replace("/run/cbsim", str(folder))
    config = config.replace("= 5004", f"= 127.0.0.1:{free_port()}")
    with node(password=password, config=config) as running:
        yield running, folder


def environment(name: str, url: str, folder: Path) -> dict[str, str]:
    """Of the service cbsim, with our broker and our folder in the place of the containers'."""
    given = services("compose.yaml")["cbsim"]["environment"]
    given |= services(name)["cbsim"]["environment"]
    port = re.search(r":(\d+)/%2F$", url)
    assert port
    given["CBSIM_BROKER_URL"] = given["CBSIM_BROKER_URL"].replace(
        "rabbitmq:5004", f"127.0.0.1:{port[1]}"
    )
    given["CBSIM_PASSWORD_FILE"] = given["CBSIM_PASSWORD_FILE"].replace("/run/cbsim", str(folder))
    return given


def test_rabbitmq_is_as_a_server_has_it(rabbitmq: tuple[Node, Path]) -> None:
    channel = connect(rabbitmq[0].url).channel()
    channel.exchange_declare("api.events", "topic", passive=True)
    channel.exchange_declare("api.events", "topic", durable=True)
    channel.exchange_declare("api.rawsensordata", "fanout", durable=True)
    channel.connection.close()
    port = rabbitmq[0].url.rpartition(":")[2]
    with pytest.raises(BrokerError, match="login of user 'guest' was refused"):
        connect(f"amqp://guest:guest@127.0.0.1:{port}")


def test_cbsim_serves_there_and_is_healthy(rabbitmq: tuple[Node, Path]) -> None:
    _, *args = services("compose.yaml")["cbsim"]["command"]
    args = ["127.0.0.1" if one == "0.0.0.0" else one for one in args]
    given = environment("compose.yaml", rabbitmq[0].url, rabbitmq[1])
    with serving(*args, "--health-port", "0", **given) as it:
        assert it.lines["scenario"] == "steady-state, seed 1"
        until(lambda: it.health()["confirmed"] > 0)
        _, *check = health_check()
        subprocess.run(
            [*CBSIM, *check], env=os.environ | {"CBSIM_ENDPOINT": it.endpoint}, check=True
        )
        it.stop()
        assert it.process.returncode == 0


def test_the_run_of_ci_ends_with_its_exit_code(rabbitmq: tuple[Node, Path], tmp_path: Path) -> None:
    tmp_path.joinpath("mine.yaml").write_text("phases: [{count: 50, rate: max}]\n")
    given = environment("ci.yaml", rabbitmq[0].url, rabbitmq[1])
    assert given["CBSIM_SCENARIO"] == "quickstart"
    for scenario, code in (("mine.yaml", 0), ("none.yaml", 2)):
        done = subprocess.run(
            [*CBSIM, *services("ci.yaml")["cbsim"]["command"]], cwd=tmp_path, check=False,
            env=os.environ | given | {"CBSIM_SCENARIO": scenario}, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
