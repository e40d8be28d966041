"""Which deployment served a session last: the one that has its prompt cached.

The order of deployments is the configuration's, and whoever begins there needs no memory. Kept are
only sessions that had to move to another deployment: they stay there, until that one fails too or
the session has been silent for longer than any prompt cache lives. In this process only, and no
more than `SESSIONS_MAX`; what is forgotten costs one prompt that is not cached.
"""

from collections.abc import Callable, Sequence

from proxy.domain.call import Call
from proxy.gateway.means import Route
from proxy.wire.body import Body
from proxy.wire.session_id import read_session

SESSIONS_MAX = 10_000
CACHE_LIFE_S = 3600.0
"""Of the longest-lived prompt cache there is (`ttl: 1h`)."""


class Sessions:
    """Of all models with several deployments. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float], *, sessions_max: int = SESSIONS_MAX) -> None:
        self._clock = clock
        self._sessions_max = sessions_max
        self._moved: dict[str, tuple[str, str, float]] = {}
        """Session to provider, name of the model there, and when it was served."""

    def __len__(self) -> int:
        return len(self._moved)

    def ordered(self, call: Call, body: Body, routes: Sequence[Route]) -> Sequence[Route]:
        """`routes`, the one that has this session's prompt cached first. Notes the session in
        `call`. For models with several deployments; the others need not ask."""
        session = read_session(call.arrival.headers, body.fields.get("metadata"))
        if not session:
            return routes
        call.session = f"{call.caller.tenant_id}\0{call.model.id}\0{session}"
        served = self._moved.get(call.session)
        if served is None:
            return routes
        provider, name, at_s = served
        if self._clock() - at_s > CACHE_LIFE_S:
            del self._moved[call.session]
            return routes
        for number, route in enumerate(routes):
            if route.provider.name == provider and route.upstream_model == name:
                return (route, *routes[:number], *routes[number + 1 :])
        return routes

    def served(self, call: Call, route: Route, *, moved: bool) -> None:
        """`route` answers. `moved`: it was not the first to be asked."""
        if moved or call.session in self._moved:
            self._moved.pop(call.session, None)
            self._moved[call.session] = (route.provider.name, route.upstream_model, self._clock())
            if len(self._moved) > self._sessions_max:
                del self._moved[next(iter(self._moved))]
