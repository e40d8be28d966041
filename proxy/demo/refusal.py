"""A request that is answered with an error, before either wire dresses it in its own shape."""

from dataclasses import dataclass

_RETRY_AFTER_S = 1  # short: clients under test obey it

_WORDS: dict[int, tuple[str, str]] = {
    400: ("invalid_request_error", "The demo model was asked to refuse this request."),
    401: ("authentication_error", "invalid x-api-key"),
    402: ("billing_error", "Your credit balance is too low to access the demo model."),
    403: ("permission_error", "Your API key may not use the specified resource."),
    404: ("not_found_error", "The requested resource could not be found."),
    408: ("timeout_error", "The request timed out."),
    409: ("conflict_error", "The request conflicts with another one."),
    413: ("request_too_large", "Request exceeds the maximum size"),
    429: ("rate_limit_error", "This request would exceed your account's rate limit."),
    500: ("api_error", "Internal server error"),
    501: ("not_supported", "Not supported"),
    502: ("api_error", "The provider behind the demo model failed."),
    503: ("api_error", "The demo model is overloaded or not ready yet."),
    504: ("timeout_error", "The request timed out upstream."),
    529: ("overloaded_error", "Overloaded"),
}
_TRANSIENT = frozenset({408, 409, 429})


@dataclass(frozen=True, slots=True)
class Refusal:
    """What to refuse with; an empty `message` means the usual words for the status.

    `code` and `param` are said by wires that have a place for them; a `code` asked for by a marker
    also chooses the words.
    """

    status: int
    message: str = ""
    silence_first_s: float = 0.0
    code: str = ""
    param: str = ""

    @property
    def error_type(self) -> str:
        """Anthropic's name for this kind of error."""
        known = _WORDS.get(self.status)
        if known:
            return known[0]
        return "api_error" if self.status >= 500 else "invalid_request_error"

    @property
    def words(self) -> str:
        """The message told to the client."""
        known = _WORDS.get(self.status)
        return self.message or (known[1] if known else f"The demo model answers {self.status}.")

    @property
    def headers(self) -> dict[str, str]:
        """What the real provider says about trying again."""
        worth_retrying = self.status >= 500 or self.status in _TRANSIENT
        headers = {"x-should-retry": "true" if worth_retrying else "false"}
        if self.status == 429:
            headers["retry-after"] = str(_RETRY_AFTER_S)
        return headers


class RefusedError(Exception):
    """Raised by whoever reads a request and finds it wrong."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.words)
        self.refusal = refusal


def bad_request(message: str, *, param: str = "", code: str = "") -> RefusedError:
    """The commonest refusal: 400 with the provider's wording."""
    return RefusedError(Refusal(400, message, param=param, code=code))
