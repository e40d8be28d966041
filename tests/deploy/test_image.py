"""The image: what it is made of, that it is nobody's root, that it knows whether it is well."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from bench.ports import free_port
from proxy.config.load import parse
from tests.cli.starting import environment, started
from tests.deploy.compose import DOCKERFILE, OURS, ROOT, SERVICES, instructions

HADOLINT = Path(sys.executable).parent / "hadolint"


def health_check() -> list[str]:
    """The command of HEALTHCHECK."""
    [check] = instructions("HEALTHCHECK")
    words: list[str] = json.loads(check.partition("CMD ")[2])
    return words


def test_hadolint_has_nothing_to_say() -> None:
    done = subprocess.run([HADOLINT, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout


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
    install, tools = [run for run in instructions("RUN") if "pip install" in run]
    assert "-c constraints.txt" in install and "-c constraints.txt" in tools
    assert set(re.findall(r"\[(\w+)\]", install)) <= project["optional-dependencies"].keys()
    [entry] = instructions("ENTRYPOINT")
    assert json.loads(entry)[0] in project["scripts"]
    [command] = instructions("CMD")
    assert json.loads(command) == SERVICES["gateway-1"]["command"]
    wanted = project["requires-python"].removeprefix(">=")
    assert all(f"python:{wanted}-slim" in image for image in instructions("FROM"))


def test_it_does_not_run_as_root_and_owns_only_its_volume() -> None:
    [user] = instructions("USER")
    assert user.isdigit() and int(user) > 0
    assert f"--uid {user} " in DOCKERFILE
    [workdir] = instructions("WORKDIR")[1:]
    for name in ("gateway-1", "gateway-2"):
        assert f"journal-{name[-1]}:{workdir}/var" in SERVICES[name]["volumes"]
    for name, service in SERVICES.items():
        if service["image"] == OURS and service.get("restart") == "unless-stopped":
            assert service["read_only"] is True, name
            assert service["cap_drop"] == ["ALL"], name


def test_the_example_configuration_suits_the_image() -> None:
    settings = parse((ROOT / "config.example.toml").read_text("utf-8"), {})
    assert settings.storage.url.startswith("sqlite:///var/")
    assert settings.ledger.folder.startswith("var/")


def test_the_health_check_fails_before_the_gateway_serves_and_passes_after(tmp_path: Path) -> None:
    port = str(free_port())
    (tmp_path / "gateway.toml").write_text(
        f"[server]\nport = {port}\n[storage]\nurl = 'sqlite:///gateway.db'\n"
        "[ledger]\nfolder = 'journal'\n",
        "utf-8",
    )
    program, *arguments = health_check()
    assert program == "python"
    command = [sys.executable, *[word.replace(":8080", f":{port}") for word in arguments]]
    assert port in command[-1]
    assert subprocess.run(command, capture_output=True, timeout=30).returncode == 1
    with started(
        "proxy", "serve", "--config", "gateway.toml", cwd=tmp_path, env=environment()
    ) as it:
        it.says(" serves http://")
        checked = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert checked.returncode == 0, checked.stderr
