"""A demo model provider: a real HTTP process that speaks the Anthropic and OpenAI wires."""
