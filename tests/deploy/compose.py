"""docker-compose.yml as an engine would understand it, as far as the file needs it."""

import os
import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text("utf-8")
FILE: dict[str, Any] = yaml.safe_load(TEXT)  # anchors and `<<` are YAML's own
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
OURS = "hatz-gateway"
"""The image that is built here."""

DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")


def instructions(name: str) -> list[str]:
    """What follows a word of the Dockerfile at the start of a line; continued lines are one."""
    whole = DOCKERFILE.replace("\\\n", " ")
    return [each.strip() for each in re.findall(rf"^{name} (.+)$", whole, re.MULTILINE)]


def interpolated(text: str, environ: dict[str, str]) -> str:
    """`${NAME:-default}` as compose replaces it."""

    def value(found: re.Match[str]) -> str:
        return environ.get(found["name"]) or found["default"]

    return re.sub(r"\$\{(?P<name>\w+):-(?P<default>[^}]*)\}", value, text)


def environment_of(service: str, environ: dict[str, str] | None = None) -> dict[str, str]:
    """What the file gives a service; nothing of our own environment but PATH and the like."""
    given = SERVICES[service].get("environment", {})
    here = environ or {}
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | {name: interpolated(value, here) for name, value in given.items()}


def mounts_of(service: str) -> list[tuple[str, str, bool]]:
    """Source, place in the container, read-only."""
    found = []
    for each in SERVICES[service].get("volumes", ()):
        source, target, *mode = each.split(":")
        found.append((source, target, mode == ["ro"]))
    return found


def seconds(text: str) -> float:
    """`45s`, `1m30s`."""
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(float(count) * units[unit] for count, unit in re.findall(r"([\d.]+)([hms])", text))
