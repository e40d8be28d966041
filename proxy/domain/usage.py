"""Token counts of one generation, and how later reports merge into earlier ones."""

import msgspec


class Usage(msgspec.Struct, gc=False):
    """Tokens as the provider reports them. `input_tokens` excludes everything read from or written
    to a prompt cache; `output_tokens` includes thinking (client-contract.md 8.2)."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    cache_read_tokens: int = 0
    thinking_tokens: int = 0
    web_searches: int = 0
