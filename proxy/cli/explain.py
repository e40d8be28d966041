"""`explain --key K --model M`: what would happen to a request, without spending anything.

The steps are those of `gateway/explanation.py`, over storage and the file. Burst limits live in the
workers and are not seen from here.
"""

import argparse
import asyncio
import os
import sys
from pathlib import Path

import msgspec

from proxy.assembly.limits import open_desk
from proxy.auth.credential import read
from proxy.auth.gate import Gate
from proxy.catalog.catalog import Catalog
from proxy.catalog.refresh import Shelf
from proxy.config.load import ConfigProblems, load
from proxy.config.secrets import SecretProblem, is_reference, resolve
from proxy.config.settings import Settings
from proxy.domain.caller import Caller
from proxy.domain.fault import Fault
from proxy.gateway.explanation import Explainer, Explanation
from proxy.storage.database import unix_ms
from proxy.storage.keys import Keys
from proxy.storage.models import ModelSwitches
from proxy.storage.opening import OpenStorage, open_storage
from proxy.storage.preferences import Preferences
from proxy.storage.rates import RateSheet


def run(arguments: list[str]) -> int:
    """Print the explanation; 0 whatever would happen, 1 it cannot be told, 2 wrong use."""
    parser = argparse.ArgumentParser(
        prog="hatz-gateway explain", description="What would happen to a request, without spending."
    )
    parser.add_argument(
        "--key", required=True, metavar="K", help="env:NAME, file:PATH, or the key itself"
    )
    parser.add_argument("--model", required=True, metavar="M", help="as a client would send it")
    parser.add_argument("--config", required=True, metavar="FILE", help="the configuration")
    parser.add_argument("--json", action="store_true", help="as a JSON object")
    options = parser.parse_args(arguments)
    try:
        settings = load(Path(options.config), os.environ)
        key = options.key
        if is_reference(key):
            key = resolve(key, os.environ).reveal()
        explanation = asyncio.run(_explained(settings, key, options.model))
    except (ConfigProblems, SecretProblem) as found:
        print(found, file=sys.stderr)
        return 2
    except Fault as fault:
        detail = f" ({fault.detail})" if fault.detail else ""
        print(f"{fault.message}{detail}", file=sys.stderr)
        return 1
    if options.json:
        print(msgspec.json.format(msgspec.json.encode(explanation), indent=2).decode())
    else:
        print(_told(explanation))
    return 0


async def _explained(settings: Settings, key: str, asked: str) -> Explanation:
    storage = await open_storage(settings, os.environ)
    try:
        try:
            caller = await _who(settings, storage, key)
        except Fault as fault:
            explanation = Explanation(False, asked)
            explanation.refused(fault)
            return explanation
        catalog = await _catalogue(settings, storage)
        desk = open_desk(settings, os.environ, storage.database, catalog.visible)
        try:
            explainer = Explainer(lambda: settings, lambda: catalog, desk)
            return await explainer.explain(caller, asked, unix_ms())
        finally:
            await desk.close()
    finally:
        await storage.database.close()


async def _who(settings: Settings, storage: OpenStorage, key: str) -> Caller:
    preferences = Preferences(storage.database)

    async def with_mapping(caller: Caller) -> Caller:
        return caller.but(mapping=await preferences.get(caller.user_id))

    gate = Gate(
        Keys(storage.database), storage.hash_secret, keys_cached_max=1, furnish=with_mapping
    )
    return await gate.lookup(read(None, key.encode("utf-8", "surrogateescape")), unix_ms())


async def _catalogue(settings: Settings, storage: OpenStorage) -> Catalog:
    shelf = Shelf(
        settings.models,
        ModelSwitches(storage.database),
        RateSheet(storage.database),
        mapping_applies_to_native_ids=settings.catalog.mapping_applies_to_native_ids,
        custom_aliases=settings.catalog.aliases,
    )
    await shelf.refresh(0, unix_ms())
    return shelf.current


def _told(said: Explanation) -> str:
    """One `name  value` to a line; names of people and models cannot steer the terminal."""
    lines = {
        name: ", ".join(value) if isinstance(value, list) else str(value)
        for name, value in msgspec.to_builtins(said).items()
        if name != "allowed"
    }
    width = max(map(len, lines))
    verdict = "It would be served." if said.allowed else "It would be refused."
    return "\n".join([verdict, *[f"{name.ljust(width)}  {_plain(lines[name])}" for name in lines]])


def _plain(text: str) -> str:
    return "".join([each if each.isprintable() else "?" for each in text])
