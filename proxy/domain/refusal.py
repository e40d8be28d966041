"""A request we turned away, kept for support: who asked for what, and why it was refused."""

import msgspec


class Refusal(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The support record of a refused request; it is no usage and costs nothing (domain.md 10, 18).

    `at` is Unix milliseconds. `client` is the client's label, `path` the route without its query.
    Never holds a key, a prompt or a completion.
    """

    request_id: str
    at: int
    tenant_id: str
    user_id: str
    key_id: str
    requested_model: str
    status: int
    error_type: str
    reason: str
    client: str
    path: str
