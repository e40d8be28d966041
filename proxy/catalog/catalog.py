"""The catalogue: one immutable snapshot of all models, and what an asked name stands for in it.

Owns the order of resolution (domain.md 5) and the words of its refusals (domain.md 7). Never
substitutes: a name leads to the model it stands for or to a 404. Knows no store; who changes models
makes a new snapshot (`catalog/refresh.py`).

On the hot path: what a name may stand for does not depend on the caller and is read once per
snapshot; per request remain a look-up and the caller's own rights and mapping.
"""

import difflib
from collections.abc import Iterable, Mapping
from typing import Final, NoReturn

from proxy.catalog.access import may_use
from proxy.catalog.aliases import PRODUCT_PREFIX, Form, Name, read_name
from proxy.catalog.meaning import Meaning, Resolution
from proxy.domain.caller import Caller
from proxy.domain.fault import Fault, Kind
from proxy.domain.model import Model

NAMES_REMEMBERED_MAX: Final = 1024
NAME_CHARS_REMEMBERED_MAX: Final = 128
NAME_CHARS_ECHOED_MAX: Final = 200
SUGGESTED_MAX: Final = 3
# Likeness costs about 10 µs per model and name: asked only of short names and few models.
SUGGESTED_NAME_CHARS_MAX: Final = 64
SUGGESTED_FROM_MODELS_MAX: Final = 150

_NOT_THERE: Final = "was not found, or it is not enabled for your account."
_PREFERENCES: Final = "in Workspace > AI Preferences or with PUT /v1/preferences/gateway-mapping."


class Catalog:
    """One snapshot. `version` differs between any two snapshots that differ.

    `custom_aliases` are the operator's further names (`best`, `fable`): each leads to a catalogue
    id, a native id or one of the three aliases. Catalogue ids and those three win over them.
    """

    __slots__ = (
        "_by_family",
        "_by_id",
        "_by_lower_id",
        "_by_plain_name",
        "_custom_aliases",
        "_enabled",
        "_mapping_applies_to_native_ids",
        "_meanings",
        "_suggestions",
        "ids",
        "models",
        "version",
    )

    def __init__(
        self,
        models: Iterable[Model],
        version: int | str,
        *,
        mapping_applies_to_native_ids: bool = True,
        custom_aliases: Mapping[str, str] | None = None,
    ) -> None:
        newest_first = sorted(models, key=lambda model: model.released, reverse=True)
        self.version = version
        self.models = tuple(sorted(newest_first, key=lambda model: model.developer.lower()))
        self.ids = frozenset([model.id for model in newest_first])
        self._enabled = tuple([model for model in self.models if model.enabled])
        self._mapping_applies_to_native_ids = mapping_applies_to_native_ids
        self._custom_aliases = {
            name.strip().lower(): target for name, target in (custom_aliases or {}).items()
        }
        self._by_id = {model.id: model for model in newest_first}
        self._by_lower_id = {model.id.lower(): model for model in newest_first}
        self._by_family: dict[str, tuple[Model, ...]] = {}
        self._by_plain_name: dict[str, tuple[tuple[str, Model], ...]] = {}
        for model in newest_first:
            if model.family is not None:
                self._by_family[model.family] = (*self.family(model.family), model)
            name = read_name(model.id)
            if name.plain:
                known = self._by_plain_name.get(name.plain, ())
                self._by_plain_name[name.plain] = (*known, (name.date, model))
        self._meanings: dict[str, Meaning] = {}
        self._suggestions: dict[tuple[str, frozenset[str]], tuple[str, ...]] = {}

    def resolve(self, asked: str, caller: Caller) -> Resolution:
        """The one model an asked name stands for, for this caller. Raises Fault NOT_FOUND."""
        meaning = self._meanings.get(asked)
        if meaning is None:
            meaning = self._read(asked)
        if meaning.family:
            target = caller.mapping.target(meaning.family)
            if target:
                model = self.find(target)
                if model is None or not may_use(model, caller):
                    self._refuse_target(meaning, target)
                return Resolution(model, "mapping", meaning.asked)
        for model in meaning.models:
            if may_use(model, caller):
                return Resolution(model, meaning.via, meaning.asked)
        self._refuse(meaning, caller)

    def find(self, model_id: str) -> Model | None:
        """The model with exactly this id, letters' case aside, whether enabled or not."""
        return self._by_id.get(model_id) or self._by_lower_id.get(model_id.strip().lower())

    def family(self, family: str) -> tuple[Model, ...]:
        """All models of a family, newest first; of one day, the first in the configuration."""
        return self._by_family.get(family, ())

    def visible(self, caller: Caller) -> tuple[Model, ...]:
        """The models this caller may use, by developer, then newest first."""
        if not caller.disabled_models and caller.allowed_models is None:
            return self._enabled
        return tuple([model for model in self._enabled if may_use(model, caller)])

    def hidden(self, caller: Caller) -> frozenset[str]:
        """The ids that tenant, role or package keep from this caller: who has the same ones hidden
        sees the same lists."""
        hidden = self.ids & caller.disabled_models
        if caller.allowed_models is None:
            return hidden
        return hidden | (self.ids - caller.allowed_models)

    def current(self, family: str, caller: Caller) -> Model | None:
        """What a family's alias means for this caller while no mapping applies."""
        for model in self.family(family):
            if may_use(model, caller):
                return model
        return None

    def close_ids(self, asked: str, caller: Caller) -> tuple[str, ...]:
        """Up to three ids this caller can use that look like the asked one; none when the search
        would be dear."""
        visible = self.visible(caller)
        if len(asked) > SUGGESTED_NAME_CHARS_MAX or len(visible) > SUGGESTED_FROM_MODELS_MAX:
            return ()
        key = (asked, self.hidden(caller))
        close = self._suggestions.get(key)
        if close is None:
            close = _closest(read_name(asked), visible)
            if len(self._suggestions) >= NAMES_REMEMBERED_MAX:
                self._suggestions.clear()
            self._suggestions[key] = close
        return close

    def _read(self, asked: str) -> Meaning:
        meaning = self._meaning(asked.strip())
        if len(asked) <= NAME_CHARS_REMEMBERED_MAX:
            if len(self._meanings) >= NAMES_REMEMBERED_MAX:
                self._meanings.clear()
            self._meanings[asked] = meaning
        return meaning

    def _meaning(self, asked: str) -> Meaning:
        exact = self._literal(asked)
        if exact is not None:
            return Meaning(asked, "exact", (exact,))
        name = read_name(asked)
        if name.form is Form.ALIAS:
            return Meaning(asked, "alias", self.family(name.family), name.family)
        target = self._custom_target(name)
        if target is not None:
            literal = self._literal(target)
            if literal is not None:
                return Meaning(asked, "alias", (literal,))
            behind = read_name(target)
            if behind.form is Form.ALIAS:
                return Meaning(asked, "alias", self.family(behind.family), behind.family)
            return Meaning(asked, "alias", self._native(behind))
        mapped = name.form is Form.NATIVE and self._mapping_applies_to_native_ids
        return Meaning(asked, "native", self._native(name), name.family if mapped else "")

    def _literal(self, asked: str) -> Model | None:
        if not asked.isascii():
            return self._by_id.get(asked)
        return self.find(asked) or self._by_lower_id.get(read_name(asked).text)

    def _custom_target(self, name: Name) -> str | None:
        return self._custom_aliases.get(name.text)

    def _native(self, name: Name) -> tuple[Model, ...]:
        """The catalogue's entries for a Claude id: the fullest spelling that is an id, else the
        same model in another order of words. Of several snapshots the newest; a date that was asked
        for is never exchanged for another."""
        for spelling in name.spellings:
            model = self._by_lower_id.get(PRODUCT_PREFIX + spelling)
            if model is None:
                model = self._by_lower_id.get(spelling)
            if model is not None:
                return (model,)
        same = self._by_plain_name.get(name.plain, ())
        dated = [model for date, model in same if name.date and date == name.date]
        undated = [model for date, model in same if not date]
        if dated or undated or name.date:
            return tuple(dated or undated)
        return tuple([model for _, model in same])

    def _refuse_target(self, meaning: Meaning, target: str) -> NoReturn:
        raise Fault(
            Kind.NOT_FOUND,
            f"model: {_echo(meaning.asked)} follows your mapping of {meaning.family} to"
            f" {_echo(target)}, which {_NOT_THERE}",
            hint=f"Change the mapping of {meaning.family} {_PREFERENCES}",
            reason="mapping_target_disabled",
        )

    def _refuse(self, meaning: Meaning, caller: Caller) -> NoReturn:
        """One text for unknown and for hidden models; only the reason tells them apart."""
        name = read_name(meaning.asked)
        target = None if self._literal(meaning.asked) else self._custom_target(name)
        subject = f"model: {_echo(meaning.asked)}"
        reason = "model_disabled" if meaning.models else "model_not_found"
        close: tuple[str, ...] = ()
        if target is not None:
            message = f"{subject} is an alias of {_echo(target)}, which {_NOT_THERE}"
            message += " Your operator's configuration sets this alias."
            reason = "mapping_target_disabled"
        elif name.form is Form.ALIAS:
            message = f"{subject} was not found: no {name.family} model is enabled for your account"
            message += "."
        elif name.form is Form.HATZ_CHAT:
            message = f"{subject} was not found: auto and agent-* belong to the Hatz chat API."
        else:
            message = f"{subject} {_NOT_THERE}"
            close = self.close_ids(meaning.asked, caller)
        hint = "Use an id from GET /v1/chat/models"
        hint += f", such as {', '.join(close)}." if close else "."
        if meaning.family and name.form is Form.NATIVE:
            hint += f" Where your client made this id from `{meaning.family}`, map"
            hint += f" {meaning.family} {_PREFERENCES}"
        raise Fault(Kind.NOT_FOUND, message, hint=hint, reason=reason)


def _closest(name: Name, visible: tuple[Model, ...]) -> tuple[str, ...]:
    """First the ids that hold the whole name (`kimi`), then those spelled alike."""
    wanted = PRODUCT_PREFIX + name.plain if name.plain else name.text
    by_lower_id = {model.id.lower(): model.id for model in visible}
    close = [lower_id for lower_id in by_lower_id if len(wanted) > 2 and wanted in lower_id]
    close += difflib.get_close_matches(wanted, by_lower_id, SUGGESTED_MAX)
    # A dict keeps the order and drops what came twice.
    return tuple(dict.fromkeys([by_lower_id[lower_id] for lower_id in close]))[:SUGGESTED_MAX]


def _echo(name: str) -> str:
    """A client's own text, short enough for a message."""
    return name if len(name) <= NAME_CHARS_ECHOED_MAX else name[:NAME_CHARS_ECHOED_MAX] + "…"
