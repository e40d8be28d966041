"""`demo`: the whole gateway with a built-in model provider, seen working within seconds.

What it shows is real: another process plays the provider, a key is made, one streamed message goes
through the gateway over HTTP, and then it serves. Where a provider's key is in the environment the
models that provider serves go to the real one.
"""

import argparse
import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import aiohttp
import msgspec
import uvloop
from msgspec.structs import replace

from proxy.assembly.house import House
from proxy.auth.keys import NOISE_BYTES, digest, mint, shown_prefix
from proxy.auth.passwords import Passwords, suggested
from proxy.cli.process import keep_freed_memory, raise_file_limit
from proxy.config.load import parse
from proxy.config.settings import Provider, Settings
from proxy.domain.fault import Fault
from proxy.domain.model import Deployment, Model
from proxy.domain.people import Actor
from proxy.observe import log
from proxy.providers.bedrock.surfaces import MANTLE, deployment_of
from proxy.providers.vertex_place import GLOBAL, PROJECT_PATTERN, REGION_PATTERN
from proxy.server.listener import bind
from proxy.storage.accounts import Accounts
from proxy.storage.database import unix_ms
from proxy.storage.keys import Keys
from proxy.storage.opening import open_storage
from proxy.storage.passwords import Passwords as StoredPasswords
from proxy.storage.roles import PRIMARY_ADMIN

KEY_FILE = Path("var/demo.key")
PASSWORD_FILE = Path("var/demo.password")
DEMO_USER = "demo@example.com"
_BEDROCK_KEY = "AWS_BEARER_TOKEN_BEDROCK"
ADMIN_USER = "admin@example.com"
PROMPT = "Say hello to somebody who has just started this gateway."


def run(arguments: list[str]) -> int:
    """Serve the demo until Ctrl-C, or with `--once` only until its message came back whole."""
    parser = argparse.ArgumentParser(prog="hatz-gateway demo", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--once", action="store_true", help="exit 0 after the streamed message")
    options = parser.parse_args(arguments)
    log.set_up("console")
    raise_file_limit()
    keep_freed_memory()
    try:
        listening = bind(options.host, options.port, shared=False)
    except OSError as problem:
        print(f"{problem.strerror}. Choose another port: make run PORT=9000", file=sys.stderr)
        return 1
    provider = subprocess.Popen(
        [sys.executable, "-m", "proxy.demo.upstream", "--port", "0", "--die-with-parent"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert provider.stdout is not None
        heard = re.match(r"listening (http://\S+)", provider.stdout.readline())
        if heard is None:
            print("the demo's model provider did not start", file=sys.stderr)
            return 1
        port = listening.getsockname()[1]
        settings = _settings(heard[1], options.host, port, os.environ)
        return uvloop.run(_demo(settings, listening, once=options.once))
    except Fault as fault:
        print(f"{fault.message} {fault.detail}".rstrip(), file=sys.stderr)
        return 1
    except OSError as problem:
        place = f"{problem.filename}: " if problem.filename else ""
        print(f"{place}{problem.strerror or problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130  # before it served; from then on Ctrl-C is an orderly stop
    finally:
        provider.terminate()
        provider.wait()


def _settings(upstream: str, host: str, port: int, environ: Mapping[str, str]) -> Settings:
    """The example configuration, with every model at the demo provider that has no real one."""
    example = parse(files("proxy.config").joinpath("example.toml").read_text("utf-8"), {})
    real = {
        each.name
        for each in example.providers
        if each.api_key.startswith("env:") and environ.get(each.api_key[4:])
    }
    players = {
        each.name: each if each.name in real else _played(each, upstream)
        for each in example.providers
    }
    google = _google(environ)
    if google is not None and "anthropic" not in real:
        players["anthropic"] = google  # Claude is there under the same names
        real.add(google.name)
    models = [
        replace(
            model,
            deployments=tuple(
                Deployment(players[place.provider].name, place.model) for place in model.deployments
            ),
        )
        for model in example.models
    ]
    amazon = _amazon(environ)
    if amazon is not None:
        models = [_at_amazon(model, amazon, real) for model in models]
        players["bedrock"] = amazon
    return replace(
        example,
        server=replace(example.server, host=host, port=port, drain_timeout_s=2),
        observability=replace(example.observability, log="console"),
        web_search=replace(example.web_search, enabled=True, base_url=upstream, api_key=""),
        providers=tuple(players.values()),
        models=tuple(models),
    )


def _google(environ: Mapping[str, str]) -> Provider | None:
    """Claude on Google Cloud, where the environment has an account and a project of it; by the
    names that Google's own tools and Claude Code look at."""
    project = environ.get("ANTHROPIC_VERTEX_PROJECT_ID") or environ.get("GOOGLE_CLOUD_PROJECT", "")
    region = environ.get("CLOUD_ML_REGION") or GLOBAL
    is_usable = PROJECT_PATTERN.fullmatch(project) and REGION_PATTERN.fullmatch(region)
    if not environ.get("GOOGLE_APPLICATION_CREDENTIALS") or not is_usable:
        return None
    return Provider(name="vertex", wire="vertex", project=project, region=region)


def _amazon(environ: Mapping[str, str]) -> Provider | None:
    """Amazon Bedrock, where the environment has credentials by the names that AWS's tools know."""
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    if environ.get(_BEDROCK_KEY):
        return Provider(
            name="bedrock", wire="bedrock", region=region, api_key=f"env:{_BEDROCK_KEY}"
        )
    has_keys = environ.get("AWS_ACCESS_KEY_ID") and environ.get("AWS_SECRET_ACCESS_KEY")
    if not has_keys and not environ.get("AWS_PROFILE"):
        return None
    return Provider(name="bedrock", wire="bedrock", region=region)


def _at_amazon(model: Model, amazon: Provider, real: set[str]) -> Model:
    """A model that nobody else really serves, where Bedrock's mantle does: the product's ids are
    those of mantle."""
    surface = deployment_of(
        model.id, asked="", region=amazon.region, base_url="", signing_service=""
    ).surface
    if surface not in MANTLE or any(place.provider in real for place in model.deployments):
        return model
    return replace(model, deployments=(Deployment(amazon.name, model.id),))


def _played(provider: Provider, upstream: str) -> Provider:
    """The provider as the demo's own process plays it: same wire, same dialect."""
    is_chat = provider.wire == "openai_chat"
    return replace(
        provider,
        name=f"demo-{provider.name}" if is_chat else "demo",
        base_url=f"{upstream}/v1" if is_chat else upstream,
        api_key="",
    )


async def _demo(settings: Settings, listening: socket.socket, *, once: bool) -> int:
    key = await _key(settings)
    password = await _password(settings)
    house = House(settings, os.environ, "demo")
    await house.open(listening)
    status = 0
    try:
        base = f"{settings.server.address}/v1/anthropic"
        print(f"\nThe gateway is up at {base}\nA message goes through it, streamed:\n")
        if not await _stream_one(base, key, settings):
            status = 1
        elif not once:
            print(_how_to(settings.server.address, base, key, password), flush=True)
            stop = asyncio.Event()
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, stop.set)
            await stop.wait()
            print("\nstopping …")
    finally:
        await house.close()
    return status


async def _key(settings: Settings) -> str:
    """The demo's key: made at the first start and kept beside the storage, for this user only."""
    storage = await open_storage(settings, os.environ)
    try:
        keys = Keys(storage.database)
        key = _kept(KEY_FILE)
        if key and await keys.by_digest(digest(key.encode(), storage.hash_secret)) is not None:
            return key
        accounts = Accounts(storage.database)
        tenant_id = await accounts.ensure_tenant("Default")
        user = await accounts.ensure_user(DEMO_USER, tenant_id, "client_admin")
        key = mint(os.urandom(NOISE_BYTES))
        hashed = digest(key.encode(), storage.hash_secret)
        await keys.insert(user.id, "demo", hashed, shown_prefix(key))
        _keep(KEY_FILE, key)
        return key
    finally:
        await storage.database.close()


async def _password(settings: Settings) -> str:
    """The administrator's password for the console, made and kept like the key. Empty where it was
    changed since."""
    storage = await open_storage(settings, os.environ)
    try:
        accounts = Accounts(storage.database)
        tenant_id = await accounts.ensure_tenant("Default")
        user = await accounts.ensure_user(ADMIN_USER, tenant_id, PRIMARY_ADMIN)
        stored = StoredPasswords(storage.database)
        account = await stored.account(user.id)
        hashed = account.password_hash if account is not None else None
        password = _kept(PASSWORD_FILE)
        if hashed is not None:
            return password if await Passwords().matches(password, hashed) else ""
        password = suggested(os.urandom(NOISE_BYTES))
        await stored.set(user.id, await Passwords().hashed(password), Actor.operator(unix_ms()))
        _keep(PASSWORD_FILE, password)
        return password
    finally:
        await storage.database.close()


def _kept(file: Path) -> str:
    return file.read_text("ascii").strip() if file.exists() else ""


def _keep(file: Path, secret: str) -> None:
    file.touch(mode=0o600)
    file.write_text(secret + "\n", "ascii")


class _Delta(msgspec.Struct, frozen=True):
    text: str = ""


class _Event(msgspec.Struct):
    type: str
    delta: _Delta = _Delta()


def _is_played(model: Model) -> bool:
    return model.deployments[0].provider.startswith("demo")


async def _stream_one(base: str, key: str, settings: Settings) -> bool:
    """One message through the gateway, shown as it arrives. Spends nothing: the model is one that
    the demo provider plays."""
    model = next(each for each in settings.models if _is_played(each))
    question = {"role": "user", "content": PROMPT}
    asked = {"model": model.id, "max_tokens": 256, "stream": True, "messages": [question]}
    print(f"  {model.id} > ", end="", flush=True)
    whole = False
    timeout = aiohttp.ClientTimeout(total=60)
    async with (
        aiohttp.ClientSession(timeout=timeout) as client,
        client.post(
            f"{base}/v1/messages",
            headers={"x-api-key": key, "content-type": "application/json"},
            data=msgspec.json.encode(asked),
        ) as reply,
    ):
        if reply.status != 200:
            print((await reply.read()).decode("utf-8", "replace"))
            return False
        async for line in reply.content:
            if line.startswith(b"data:"):
                event = msgspec.json.decode(line[5:], type=_Event)
                print(event.delta.text, end="", flush=True)
                whole = whole or event.type == "message_stop"
    print("\n" if whole else "\n\nthe stream ended before its end")
    return whole


def _how_to(address: str, base: str, key: str, password: str) -> str:
    return f"""\
Base URL   {base}
API key    {key}
Console    {address}/
           sign in as {ADMIN_USER}, password {password or "as you changed it"}

Try it with curl:

  curl -N {base}/v1/messages \\
    -H "x-api-key: {key}" -H "content-type: application/json" \\
    -d '{{"model":"sonnet","max_tokens":256,"stream":true,
         "messages":[{{"role":"user","content":"Hello!"}}]}}'

With the Python SDK (pip install anthropic):

  from anthropic import Anthropic

  client = Anthropic(base_url="{base}", api_key="{key}")
  message = client.messages.create(
      model="sonnet", max_tokens=256, messages=[{{"role": "user", "content": "Hello!"}}]
  )
  print(message.content[0].text)

With Claude Code:

  ANTHROPIC_BASE_URL={base} ANTHROPIC_AUTH_TOKEN={key} claude

Ctrl-C stops it."""
