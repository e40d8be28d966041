"""The front door: sockets, requests in, replies out."""
