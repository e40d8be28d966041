"""docker-compose.yml is what compose understands; nothing in it waits for an edit or a key."""

import json
import shutil
import subprocess

import pytest
import yaml
from compose_spec import PyCompose

from proxy.config.load import load
from tests.deploy.compose import (
    FILE,
    OURS,
    ROOT,
    SERVICES,
    TEXT,
    environment_of,
    mounts_of,
    seconds,
)


def validate(text: str) -> None:
    """By the Compose Specification; raises for what it does not know."""
    read = PyCompose.from_json(json.dumps(yaml.safe_load(text)))
    read.validate()
    read.validate_volumes()
    read.validate_networks()


def test_the_file_is_one_of_the_compose_specification() -> None:
    validate(TEXT)


WRONG = [
    ("read_only: true", "read_onli: true"),
    ("stop_grace_period: 45s", "stop_grace_period: soon"),
    ('"127.0.0.1:8080:8080"', '"127.0.0.1:8080:http"'),
    ("service_completed_successfully", "service_completed"),
]


@pytest.mark.parametrize(("right", "wrong"), WRONG)
def test_what_compose_would_not_take_is_caught(right: str, wrong: str) -> None:
    assert right in TEXT
    with pytest.raises(ValueError):
        validate(TEXT.replace(right, wrong, 1))


def test_compose_itself_reads_the_file() -> None:
    docker = shutil.which("docker")
    command = [docker or "", "compose", "--profile", "loadtest", "config", "--quiet"]
    if (
        docker is None
        or subprocess.run([docker, "compose", "version"], capture_output=True).returncode
    ):
        pytest.skip("docker compose is not installed; the specification's own rules are above")
    read = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert read.returncode == 0, read.stderr


def test_every_file_that_is_mounted_is_there_and_no_container_may_change_it() -> None:
    for name in SERVICES:
        for source, target, is_read_only in mounts_of(name):
            if source.startswith("."):
                assert (ROOT / source).exists(), f"{name}: {source}"
                assert is_read_only, f"{name} may change {target}"
            else:
                assert source in FILE["volumes"]


def test_nothing_has_to_be_given_and_the_same_key_is_given_to_all() -> None:
    keys = set()
    for name in SERVICES:
        environment = environment_of(name)
        assert not [text for text in environment.values() if text.startswith("${")]
        keys.update(environment.get("HATZ_GATEWAY_KEY", "").split())
    [key] = keys
    assert len(key) >= 32
    chosen = environment_of("locust-worker", {"HATZ_GATEWAY_KEY": "another"})
    assert chosen["HATZ_GATEWAY_KEY"] == "another"


def test_only_this_machine_reaches_the_ports() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert sorted(ports) == [
        f"127.0.0.1:{port}:{port}" for port in sorted((3000, 8080, 8089, 9090), key=str)
    ]


def test_who_waits_for_a_healthy_service_waits_for_one_that_tells() -> None:
    for name, service in SERVICES.items():
        after = service.get("depends_on", {})
        for other, how in after.items() if isinstance(after, dict) else ():
            if how["condition"] == "service_healthy":
                tells = "healthcheck" in SERVICES[other] or SERVICES[other]["image"] == OURS
                assert tells, f"{name} waits for {other} for ever"
            else:
                assert SERVICES[other]["restart"] == "no", f"{other} never completes"


def test_streams_may_finish_before_a_container_is_killed() -> None:
    environ = {"DATABASE_URL": "postgresql://a@b/c"}
    server = load(ROOT / "deploy/compose/gateway.toml", environ).server
    for name in ("gateway-1", "gateway-2"):
        grace_s = seconds(SERVICES[name]["stop_grace_period"])
        assert grace_s > server.drain_notice_s + server.drain_timeout_s


def test_the_load_test_is_there_only_when_asked_for() -> None:
    with_profile = {name for name, service in SERVICES.items() if "profiles" in service}
    assert with_profile == {"locust-master", "locust-worker"}
    assert {tuple(SERVICES[name]["profiles"]) for name in with_profile} == {("loadtest",)}


def test_images_of_others_have_a_version() -> None:
    for name, service in SERVICES.items():
        if service["image"] != OURS:
            _, _, tag = service["image"].rpartition(":")
            assert tag[0].isdigit() or tag[0] == "v", f"{name}: {service['image']}"


def test_locust_is_the_version_the_project_is_tested_with() -> None:
    pins = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    [pin] = [pin for pin in pins if pin.startswith("locust==")]
    for name in ("locust-master", "locust-worker"):
        assert SERVICES[name]["image"] == f"locustio/{pin.replace('==', ':')}"
