"""Token counts of one generation, and how later reports merge into earlier ones."""


class Usage:
    """Tokens as the provider reports them. `input_tokens` excludes everything read from or written
    to a prompt cache; `output_tokens` includes thinking (client-contract.md 8.2)."""

    __slots__ = (
        "cache_read_tokens",
        "cache_write_1h_tokens",
        "cache_write_5m_tokens",
        "input_tokens",
        "output_tokens",
        "thinking_tokens",
        "web_searches",
    )

    def __init__(  # noqa: PLR0917 - counts, all alike
        self,
        input_tokens: int = 0,
        output_tokens: int = 0,
        cache_write_5m_tokens: int = 0,
        cache_write_1h_tokens: int = 0,
        cache_read_tokens: int = 0,
        thinking_tokens: int = 0,
        web_searches: int = 0,
    ) -> None:
        self.input_tokens = input_tokens
        self.output_tokens = output_tokens
        self.cache_write_5m_tokens = cache_write_5m_tokens
        self.cache_write_1h_tokens = cache_write_1h_tokens
        self.cache_read_tokens = cache_read_tokens
        self.thinking_tokens = thinking_tokens
        self.web_searches = web_searches

    def figures(self) -> tuple[int, int, int, int, int, int, int]:
        """All counts, in the order of `__init__`."""
        return (
            self.input_tokens,
            self.output_tokens,
            self.cache_write_5m_tokens,
            self.cache_write_1h_tokens,
            self.cache_read_tokens,
            self.thinking_tokens,
            self.web_searches,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Usage) and self.figures() == other.figures()

    def __repr__(self) -> str:
        return f"Usage{self.figures()!r}"
