"""An answer of a provider that cannot be used, as a Fault (translation.md 3.11): in one place, so
that all wires say it in the same words."""

from proxy.domain.fault import Fault, Kind, Source


def broken(what: str, *, detail: str = "", repeat: bool = False) -> Fault:
    """502: `what` the provider did, for the caller; `detail` is for the log. `repeat`: nothing of
    the answer went out, and the same question may be asked once more."""
    return Fault(
        Kind.UPSTREAM_BROKEN,
        f"The model provider {what}. Try again.",
        detail=detail,
        source=Source.UPSTREAM,
        repeat=repeat,
    )


def unreadable(why: str) -> Fault:
    """A stream that makes no sense."""
    return broken("sent a stream that cannot be read", detail=f"the stream is broken: {why}")


def cut_off() -> Fault:
    """An end where none may be: never told as a message that is whole (D4)."""
    return broken("ended the stream before the message was complete")
