"""What the process asks of the system before it serves."""

import ctypes
import os
import resource
import signal

_PR_SET_PDEATHSIG = 1
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
KEPT_BYTES_MAX = 32 << 20
MAPPED_ABOVE_BYTES = 4 << 20


def raise_file_limit() -> None:
    """Each client and each provider connection is an open file; the soft limit is often 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def keep_freed_memory() -> None:
    """Let glibc keep some freed memory for the next request.

    Left alone it maps each body above 128 kB anew and hands it back at once: the page faults of one
    200 kB request then cost more than all the work on it (250 µs against 60). Other C libraries
    have no such call and no such habit.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES_MAX)
        mallopt(_M_MMAP_THRESHOLD, MAPPED_ABOVE_BYTES)


def return_start_memory() -> None:
    """Hand back what glibc holds free from the start (about 2 MB: files read, settings
    checked). With `keep_freed_memory` it would stay; a served request needs far less at a time."""
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)


def end_with_parent(parent: int) -> None:
    """Have this process told to stop (SIGTERM) when its parent dies without a word: nobody would
    start it again, and it would go on on the port with settings of yesterday. Linux only;
    elsewhere nothing happens."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is None:
        return
    prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before we had asked
        os.kill(os.getpid(), signal.SIGTERM)
