"""All that can go wrong, as data.

Only `Fault` crosses a room's door. It is raised where the trouble is known and caught in two
places: where a reply has not begun (`server/refusal.py`: a status and a JSON body) and where
it has (`gateway/relay.py` makes it an `event: error`). It never carries a secret: `message` and
`hint` go to the caller, `detail` to the log.
"""

from enum import Enum


class Kind(Enum):
    """What went wrong: HTTP status and Anthropic `error.type` (domain.md 7, contract 9.2)."""

    BAD_REQUEST = (400, "invalid_request_error")
    UNAUTHENTICATED = (401, "authentication_error")
    FORBIDDEN = (403, "permission_error")
    NOT_FOUND = (404, "not_found_error")
    METHOD_NOT_ALLOWED = (405, "invalid_request_error")
    REQUEST_TIMEOUT = (408, "timeout_error")
    CONFLICT = (409, "conflict_error")
    TOO_LARGE = (413, "request_too_large")
    UNSUPPORTED_MEDIA = (415, "invalid_request_error")
    HEADERS_TOO_LARGE = (431, "invalid_request_error")
    RATE_LIMITED = (429, "rate_limit_error")
    HOUSE = (500, "api_error")
    UPSTREAM_BROKEN = (502, "api_error")
    UNAVAILABLE = (503, "api_error")
    UPSTREAM_TIMEOUT = (504, "timeout_error")
    OVERLOADED = (529, "overloaded_error")

    @property
    def status(self) -> int:
        """The HTTP status of a reply that says this."""
        return self.value[0]

    @property
    def error_type(self) -> str:
        """Anthropic's `error.type` for this."""
        return self.value[1]


OVERLOADED = "overloaded"
"""The `reason` of a refusal for which there is too much to do here, not at a provider."""


class Source(Enum):
    """Who is to blame; decides whether the operator is alarmed."""

    CALLER = "caller"
    HOUSE = "house"
    UPSTREAM = "upstream"


class Fault(Exception):
    """One failure, ready to be told to the caller.

    `retry` is None (say nothing: the SDK's own rule applies), False (retrying cannot cure:
    `x-should-retry: false`) or True. `reason` is the machine-readable `X-Hatz-Reason`; `error_code`
    becomes `error.details.error_code`. `status` and `error_type` override those of `kind` where a
    provider's own are kept, and `error_body` is then its whole `error` object, kept word for word.
    `headers` go out with the reply: the scope of a limit, when it resets. `repeat`: nothing of the
    answer was usable and the same deployment may well do better the next time.
    """

    def __init__(
        self,
        kind: Kind,
        message: str,
        *,
        hint: str = "",
        detail: str = "",
        source: Source = Source.CALLER,
        retry: bool | None = None,
        retry_after_s: int | None = None,
        reason: str = "",
        error_code: str = "",
        status: int = 0,
        error_type: str = "",
        error_body: bytes = b"",
        headers: tuple[tuple[str, str], ...] = (),
        repeat: bool = False,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = f"{message} {hint}" if hint else message
        self.detail = detail
        self.source = source
        self.retry = retry
        self.retry_after_s = retry_after_s
        self.reason = reason
        self.error_code = error_code
        self.status = status or kind.status
        self.error_type = error_type or kind.error_type
        self.error_body = error_body
        self.headers = headers
        self.repeat = repeat

    def __repr__(self) -> str:
        return f"Fault({self.kind.name}, {self.status}, {self.message!r})"
