"""Who is told by mail, and of what; never while a request waits."""
