"""The table of commands."""

import sys
from importlib import import_module

from proxy import __version__, compiled

COMMANDS = {
    "serve": ("proxy.cli.serve", "run the gateway"),
    "demo": ("proxy.cli.demo", "run it with a built-in demo model provider"),
    "init": ("proxy.cli.init", "write a commented configuration to start from"),
    "check-config": ("proxy.cli.check_config", "show every error of a configuration"),
    "doctor": ("proxy.cli.doctor", "test storage and providers, and say what to do"),
    "migrate": ("proxy.cli.migrate", "bring the storage's schema up to date"),
    "tenant": ("proxy.cli.tenant", "list, create, change tenants, and their credit packs"),
    "user": ("proxy.cli.user", "list, create, change, move, delete users"),
    "role": ("proxy.cli.role", "list, create, change, delete roles"),
    "package": ("proxy.cli.package", "list, create, change, delete packages"),
    "key": ("proxy.cli.key", "create, list, revoke API keys"),
    "model": ("proxy.cli.model", "list, enable, disable models, set rates"),
    "usage": ("proxy.cli.usage", "sums of the ledger"),
    "explain": ("proxy.cli.explain", "what would happen to a request, without spending"),
    "request": ("proxy.cli.request", "the support record of one request"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the process's exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    if not words or words[0] in ("-h", "--help", "help"):
        print(_help(), file=sys.stdout if words else sys.stderr)
        return 0 if words else 2
    if words[0] in ("--version", "version"):
        print(f"hatz-gateway {__version__}, {compiled.IN_USE}")
        return 0
    known = COMMANDS.get(words[0])
    if known is None:
        print(f"hatz-gateway: there is no command {words[0]!r}\n\n{_help()}", file=sys.stderr)
        return 2
    # Only the command that is asked for is imported: `key create` need not load the server.
    status: int = import_module(known[0]).run(words[1:])
    return status


def _help() -> str:
    lines = [f"  {name:<14}{text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(["usage: hatz-gateway COMMAND …", "", *lines, "", "COMMAND --help says more."])
