"""What the process can carry: client connections for which there are files."""

import logging
import resource

_LOG = logging.getLogger("proxy.assembly")

FILES_BESIDE = 200
"""Storage, the journal, counters, logs, connections of administrators."""


def connections_within(connections_max: int) -> int:
    """The setting, or less: each client's connection needs one to a provider as well, and a process
    without files can answer nobody, not even who asks for its health."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return connections_max
    fitting = max(1, (soft - FILES_BESIDE) // 2)
    if fitting < connections_max:
        _LOG.info("%d open files allow %d client connections per process", soft, fitting)
    return min(fitting, connections_max)
