"""Text whose provider cut a character in two: half of a surrogate pair in one delta, the other in
the next (translation.md 0.2)."""

_HIGH = ("\ud800", "\udbff")


class TornText:
    """Keeps the first half until the second comes. For text that cannot be written as it is."""

    __slots__ = ("half",)

    def __init__(self) -> None:
        self.half = ""

    def mend(self, text: str) -> str:
        """`text` as it can be written, with the half before it; halves alone become U+FFFD."""
        text = self.half + text
        self.half = ""
        if text and _HIGH[0] <= text[-1] <= _HIGH[1]:
            self.half = text[-1]
            text = text[:-1]
        return whole_text(text)

    def rest(self) -> str:
        """Nothing follows: what a half alone is worth."""
        rest = "\ufffd" if self.half else ""
        self.half = ""
        return rest


def whole_text(text: str) -> str:
    """Halves that stand together as one character, halves alone as U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
