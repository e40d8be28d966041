"""Ways to a socket that a transport does not offer."""
