"""How a peer is set up, as data: its command, its settings, the road a client takes through it.

The known peers are recipes in this folder's files; others are read from a TOML file:

    [[peers]]
    name = "other"
    route = "what it does on which of its paths, for the table"
    command = ["other-gateway", "--config", "$home/other.yaml", "--port", "$port"]
    path = "/v1/messages"
    ready = "/health"
    model = "$score"
    headers = { x-provider = "anthropic" }
    for_each_score = "  - { name: $score, url: $upstream }"
    [peers.files]
    "other.yaml" = '''
    models:
    $for_each_score
    '''

Words that begin with `$` are filled in everywhere: `$port` and `$tls_port` (where it shall listen;
the second one's upstream is HTTPS), `$home` (an empty folder of its own), `$key` (what clients
send as their bearer), `$certificate` (of the HTTPS upstream), `$upstream`, `$upstream_port`,
`$tls_upstream`, `$tls_upstream_port`, `$score` (the model's name at the upstream), `$scheme`
(`http` or `https`). `for_each_score` is written once for each score and scheme. In `headers`,
`model` and `reply_model`, which belong to each request, `$upstream` is the one of its scheme.
"""

import pathlib
import string
import tomllib
from collections.abc import Mapping, Sequence

import msgspec


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One peer. `keys`: it asks clients for a key; `tls`: it can be set up for an HTTPS upstream;
    `limit`: a proxy that only passes on and is a limit rather than a rival. `reply_model` is the
    model's name in its replies where that is not `model`."""

    name: str
    command: list[str]
    route: str = ""
    version: str = ""
    path: str = "/v1/messages"
    ready: str = "/"
    model: str = "$score"
    reply_model: str = ""
    headers: dict[str, str] = {}
    env: dict[str, str] = {}
    files: dict[str, str] = {}
    for_each_score: str = ""
    keys: bool = False
    tls: bool = False
    limit: bool = False

    def written(self, scores: Sequence[str], places: Mapping[str, str]) -> "Recipe":
        """The same with everything filled in that is known when it starts."""
        words = dict(places)
        roads = [("http", places["upstream"])]
        if self.tls:
            roads.append(("https", places["tls_upstream"]))
        words["for_each_score"] = "\n".join(
            filled(
                self.for_each_score, {**words, "score": score, "scheme": scheme, "upstream": url}
            )
            for scheme, url in roads
            for score in scores
        )
        return msgspec.structs.replace(
            self,
            command=[filled(word, words) for word in self.command],
            env={name: filled(value, words) for name, value in self.env.items()},
            files={name: filled(text, words) for name, text in self.files.items()},
        )


class _File(msgspec.Struct, forbid_unknown_fields=True):
    peers: list[Recipe] = []


class BadRecipe(Exception):
    """The settings file cannot be used; the message says why."""


def filled(text: str, words: Mapping[str, str]) -> str:
    """A text with its `$words` filled in; those that are not known stay."""
    return string.Template(text).safe_substitute(words)


def read(path: pathlib.Path) -> list[Recipe]:
    """The recipes of a settings file."""
    try:
        found = msgspec.convert(tomllib.loads(path.read_text()), type=_File).peers
    except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError) as problem:
        raise BadRecipe(f"{path.name}: {problem}") from problem
    names = [recipe.name for recipe in found]
    if len(set(names)) < len(names):
        raise BadRecipe(f"{path.name}: a name stands there twice")
    return found
