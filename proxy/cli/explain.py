"""`explain --key K --model M`: what would happen to a request, without spending anything.

Takes the same steps as the walk (`gateway/messages.py`), in its order, and says what each found:
who it is, which model that is for them and by which rule, where it would run, what is left of their
limits. Burst limits live in the workers and are not seen from here.
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
from proxy.catalog.catalog import Catalog, Resolution
from proxy.catalog.refresh import Shelf
from proxy.config.cautions import WIRES_AVAILABLE
from proxy.config.load import ConfigProblems, load
from proxy.config.secrets import SecretProblem, is_reference, resolve
from proxy.config.settings import Settings
from proxy.domain.caller import Caller
from proxy.domain.fault import Fault
from proxy.domain.people import CREDIT
from proxy.gateway.messages import nowhere
from proxy.limits.desk import Standing
from proxy.storage.database import unix_ms
from proxy.storage.keys import Keys
from proxy.storage.models import ModelSwitches
from proxy.storage.opening import OpenStorage, open_storage
from proxy.storage.preferences import Preferences
from proxy.storage.rates import RateSheet


class Explanation(msgspec.Struct, omit_defaults=True):
    """What was found, as far as the walk would come. Credits are credits, rounded to 2 decimals."""

    allowed: bool
    asked: str
    status: int = 200
    reason: str = ""
    message: str = ""
    user: str = ""
    tenant: str = ""
    role: str = ""
    model: str = ""
    resolved_via: str = ""
    multiplier: float | None = None
    deployments: list[str] = []
    month: str = ""
    tenant_used: float | None = None
    tenant_limit: float | None = None
    tenant_state: str = ""
    role_used: float | None = None
    role_limit: float | None = None
    role_state: str = ""


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
        explanation = Explanation(True, asked)
        try:
            await _walk(settings, storage, key, asked, explanation)
        except Fault as fault:
            explanation.allowed = False
            explanation.status = fault.status
            explanation.reason = fault.reason
            explanation.message = fault.message
        return explanation
    finally:
        await storage.database.close()


async def _walk(
    settings: Settings, storage: OpenStorage, key: str, asked: str, said: Explanation
) -> None:
    """The steps of a request; what is found goes into `said`. Raises the Fault it would meet."""
    caller = await _who(settings, storage, key)
    said.user, said.tenant, said.role = caller.email, caller.tenant, caller.role
    catalog = await _catalogue(settings, storage)
    found = catalog.resolve(asked, caller)
    _tell_model(said, settings, found)
    if not said.deployments:
        raise nowhere(found.model.id)
    desk = open_desk(settings, os.environ, storage.database, catalog.visible)
    try:
        now_ms = unix_ms()
        _tell_standing(said, await desk.standing(caller, now_ms))
        refusal = desk.explain(caller, found.model, now_ms, asked=found.asked)
    finally:
        await desk.close()
    if refusal is not None:
        raise refusal


async def _who(settings: Settings, storage: OpenStorage, key: str) -> Caller:
    preferences = Preferences(storage.database)

    async def with_mapping(caller: Caller) -> Caller:
        return msgspec.structs.replace(caller, mapping=await preferences.get(caller.user_id))

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


def _tell_model(said: Explanation, settings: Settings, found: Resolution) -> None:
    model = found.model
    said.model, said.resolved_via = model.id, found.via
    said.multiplier = model.multiplier(settings.limits.reference_rates)
    available = {each.name for each in settings.providers if each.wire in WIRES_AVAILABLE}
    said.deployments = [
        f"{each.provider}: {each.model}" for each in model.deployments if each.provider in available
    ]


def _tell_standing(said: Explanation, standing: Standing) -> None:
    said.month = standing.period.key
    said.tenant_used, said.tenant_limit = _credits(standing.used), _credits(standing.limit)
    said.tenant_state = standing.state
    said.role_used, said.role_limit = _credits(standing.role_used), _credits(standing.role_limit)
    said.role_state = standing.role_state


def _credits(micro: int | None) -> float | None:
    return None if micro is None else round(micro / CREDIT, 2)


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
