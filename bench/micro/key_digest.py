"""What does it cost to make of a key what it is looked up by?"""

from typing import cast

from bench.micro.step import Step
from proxy.auth.keys import digest


def steps() -> list[Step]:
    """A key of the usual length."""
    key, secret = b"hzat-" + b"k" * 48, b"s" * 32
    other = digest(key + b"x", secret)

    def check(result: object) -> None:
        made = cast(bytes, result)
        assert made == digest(key, secret)
        assert len(made) == len(other)
        assert made != other

    return [Step("one key", lambda: digest(key, secret), check)]
