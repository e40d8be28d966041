"""Which deployment served a session last: the one that has its prompt cached.

The order of deployments is `upstream/choice`'s, from call to call another. A session stays where it
was served, until that deployment is out or the session has been silent for longer than any prompt
cache lives. In this process only, and no more than `SESSIONS_MAX`; what is forgotten costs one
prompt that is not cached.
"""

from collections.abc import Callable, Sequence

from proxy.domain.call import Call
from proxy.gateway.means import Route
from proxy.upstream.choice import in_order
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
        self._served: dict[str, tuple[str, str, float]] = {}
        """Session to provider, name of the model there, and when it was served."""

    def __len__(self) -> int:
        return len(self._served)

    def ordered(self, call: Call, body: Body, routes: Sequence[Route]) -> Sequence[Route]:
        """`routes` in the order in which to try them, the one that has this session's prompt cached
        first. Notes the session in `call`. For models with several deployments; the others need
        not ask."""
        now_s = self._clock()
        session = read_session(call.arrival.headers, body.fields.get("metadata"))
        if not session:
            return in_order(routes, now_s)
        call.session = f"{call.caller.tenant_id}\0{call.model.id}\0{session}"
        return in_order(routes, now_s, prefer=self._last(call.session, routes, now_s))

    def served(self, call: Call, route: Route) -> None:
        """`route` answers."""
        self._served.pop(call.session, None)
        self._served[call.session] = (route.provider.name, route.upstream_model, self._clock())
        if len(self._served) > self._sessions_max:
            del self._served[next(iter(self._served))]

    def _last(self, session: str, routes: Sequence[Route], now_s: float) -> Route | None:
        served = self._served.get(session)
        if served is None:
            return None
        provider, name, at_s = served
        if now_s - at_s > CACHE_LIFE_S:
            del self._served[session]
            return None
        for route in routes:
            if route.provider.name == provider and route.upstream_model == name:
                return route
        return None
