"""Any server that speaks OpenAI's chat completions: request there, reply back."""
