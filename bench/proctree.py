"""What a process and all its descendants have used: CPU time and memory, read from /proc (Linux).

CPU time is the scheduler's own count in nanoseconds, user and system together, summed over threads;
what a thread or child that already ended had used is not in it, so targets keep theirs alive.
"""

import dataclasses
import pathlib

_PROC = pathlib.Path("/proc")


@dataclasses.dataclass(frozen=True)
class Times:
    """Sums over the tree. `waited_ns` is time a thread could have run while others had its CPU."""

    cpu_ns: int
    waited_ns: int


@dataclasses.dataclass(frozen=True)
class Memory:
    """Sums over the tree. `rss_kb` counts shared pages in each process, `pss_kb` their share."""

    rss_kb: int
    pss_kb: int


def pids(root: int) -> list[int]:
    """The process and its descendants, as far as they are alive."""
    found = [root]
    for pid in found:  # grows while we walk it
        for task in _tasks(pid):
            try:
                found.extend(int(child) for child in (task / "children").read_text().split())
            except (FileNotFoundError, ProcessLookupError):
                continue  # ended in between
    return found


def times(root: int) -> Times:
    """CPU and waiting time of the tree since it began."""
    cpu_ns = waited_ns = 0
    for pid in pids(root):
        for task in _tasks(pid):
            try:
                ran, waited, _ = (task / "schedstat").read_text().split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            cpu_ns += int(ran)
            waited_ns += int(waited)
    return Times(cpu_ns, waited_ns)


def memory(root: int) -> Memory:
    """Memory of the tree now."""
    rss_kb = pss_kb = 0
    for pid in pids(root):
        try:
            lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        for line in lines:
            name, _, rest = line.partition(":")
            if name == "Rss":
                rss_kb += int(rest.split()[0])
            elif name == "Pss":
                pss_kb += int(rest.split()[0])
    return Memory(rss_kb, pss_kb)


def _tasks(pid: int) -> list[pathlib.Path]:
    try:
        return list((_PROC / str(pid) / "task").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return []
