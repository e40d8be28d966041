"""What the container files say is true here too: the same commands, run without an engine."""

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from proxy.config.load import parse
from tests.cli.starting import environment, finished, free_port, started

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text("utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
CONFIG = "/etc/hatz/gateway.toml"
KEY = "hz_test_0123456789abcdefghijklmnopqrstuvwxyz"


def read_yaml(text: str) -> dict[str, Any]:
    """The little of YAML that the compose file uses: maps, lists, and JSON for all values.

    Everything is quoted there where it matters, so no parser can read it another way.
    """
    lines = [
        (len(line) - len(line.lstrip()), line.strip())
        for line in text.splitlines()
        if line.strip() and not line.strip().startswith("#")
    ]
    value, rest = _block(lines, 0)
    assert rest == []
    assert isinstance(value, dict)
    return value


def _block(lines: list[tuple[int, str]], indent: int) -> tuple[Any, list[tuple[int, str]]]:
    if lines[0][1].startswith("- "):
        items = []
        while lines and lines[0][0] == indent and lines[0][1].startswith("- "):
            items.append(_scalar(lines.pop(0)[1][2:]))
        return items, lines
    found: dict[str, Any] = {}
    while lines and lines[0][0] == indent:
        _, line = lines.pop(0)
        key, colon, value = line.partition(":")
        assert colon, f"no key: {line}"
        assert key not in found, f"twice: {key}"
        if value.strip():
            found[key] = _scalar(value.strip())
        else:
            assert lines and lines[0][0] == indent + 2, f"nothing below {key}"
            found[key], lines = _block(lines, indent + 2)
    assert not lines or lines[0][0] < indent, f"indentation: {lines[0]}"
    return found, lines


def _scalar(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        # Bare words may stand only where every parser takes them for text.
        assert re.fullmatch(r"\.|[a-z][a-z-]*", text), f"put it into quotes: {text}"
        assert text not in ("yes", "no", "on", "off", "y", "n", "null")
        return text


SERVICES: dict[str, Any] = read_yaml(COMPOSE)["services"]


def instructions(name: str) -> list[str]:
    """What follows a word of the Dockerfile, wherever it stands; continued lines are one."""
    whole = DOCKERFILE.replace("\\\n", " ")
    return re.findall(rf"^{name} (.+)$", whole, re.MULTILINE)


def test_the_image_is_made_of_files_that_are_there_and_not_ignored() -> None:
    allowed = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text("utf-8"), re.MULTILINE)
    sources = [
        source.removeprefix("./")
        for copy in instructions("COPY")
        if not copy.startswith("--from")
        for source in copy.split()[:-1]
    ]
    assert set(sources) == set(allowed)
    assert all((ROOT / source).exists() for source in sources)


def test_the_image_installs_the_pinned_versions_and_runs_our_script() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert any("-c constraints.txt" in run for run in instructions("RUN"))
    [entry] = instructions("ENTRYPOINT")
    assert msgspec.json.decode(entry)[0] in project["scripts"]
    [command] = instructions("CMD")
    assert msgspec.json.decode(command) == SERVICES["gateway"]["command"]
    wanted = project["requires-python"].removeprefix(">=")
    assert all(f"python:{wanted}" in image for image in instructions("FROM"))


def test_it_does_not_run_as_root_and_owns_only_its_volume() -> None:
    [user] = instructions("USER")
    assert f"--owner {user} " in DOCKERFILE
    [workdir] = instructions("WORKDIR")[1:]
    for service in SERVICES.values():
        assert f"var:{workdir}/var" in service["volumes"]
    assert SERVICES["gateway"]["read_only"] is True


def test_no_secret_stands_in_the_files() -> None:
    for service in SERVICES.values():
        for name, value in service["environment"].items():
            if not name.startswith("HATZ_GATEWAY__"):
                assert value.startswith(f"${{{name}:")
        assert f"{CONFIG}:ro" in service["volumes"][1]


def test_the_example_configuration_suits_the_container() -> None:
    settings = parse((ROOT / "config.example.toml").read_text("utf-8"), {})
    assert settings.storage.url.startswith("sqlite:///var/")
    assert settings.ledger.folder.startswith("var/")
    keys = [f"env:{name}_API_KEY" for name in ("ANTHROPIC", "MOONSHOT", "OPENAI")]
    assert [each.api_key for each in settings.providers] == keys
    grace_s = int(SERVICES["gateway"]["stop_grace_period"].removesuffix("s"))
    assert grace_s > settings.server.drain_timeout_s


def test_the_services_commands_work_one_after_the_other(tmp_path: Path) -> None:
    """As compose runs them: the key first, twice; then the gateway, until it is healthy."""
    shutil.copy(ROOT / "config.example.toml", tmp_path / "gateway.toml")

    def command(service: str) -> list[str]:
        words: list[str] = SERVICES[service]["command"]
        assert CONFIG in words
        return ["proxy", *["gateway.toml" if word == CONFIG else word for word in words]]

    for _ in range(2):
        made = finished(*command("key"), cwd=tmp_path, env=environment(HATZ_GATEWAY_KEY=KEY))
        assert (made.returncode, made.stdout) == (0, ""), made.stderr
    port = str(free_port())
    fixed = {
        name: value
        for name, value in SERVICES["gateway"]["environment"].items()
        if name.startswith("HATZ_GATEWAY__")
    }
    assert fixed["HATZ_GATEWAY__SERVER__PORT"] == "8080"
    fixed["HATZ_GATEWAY__SERVER__PORT"] = port
    kind, program, *arguments = SERVICES["gateway"]["healthcheck"]["test"]
    assert (kind, program) == ("CMD", "python")
    health = [sys.executable, *[word.replace("8080", port) for word in arguments]]
    assert subprocess.run(health, capture_output=True, timeout=30).returncode == 1
    env = environment(ANTHROPIC_API_KEY="sk-nobodys", **fixed)
    with started(*command("gateway"), cwd=tmp_path, env=env) as gateway:
        gateway.says(f"serves http://0.0.0.0:{port}/")
        checked = subprocess.run(health, capture_output=True, text=True, timeout=30)
        assert checked.returncode == 0, checked.stderr


def test_compose_itself_reads_the_file() -> None:
    docker = shutil.which("docker")
    if docker is None:
        pytest.skip("the docker client is not installed")
    if subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("the docker client has no compose plugin")
    env = environment(HATZ_GATEWAY_KEY=KEY)
    words = shlex.split("compose --file docker-compose.yml config --quiet")
    read = subprocess.run([docker, *words], cwd=ROOT, env=env, capture_output=True, text=True)
    assert read.returncode == 0, read.stderr
