"""Ready-made bytes of Anthropic's stream events."""

PING = b'event: ping\ndata: {"type":"ping"}\n\n'
