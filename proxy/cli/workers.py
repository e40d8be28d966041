"""Several processes on one port: started, started again when one dies, stopped together."""

import logging
import os
import signal
import time
from collections.abc import Callable
from types import FrameType

_LOG = logging.getLogger("proxy.workers")

SETTLED_S = 5.0
PAUSE_S_MAX = 10.0


class Workers:
    """The parent of `count` workers. It serves nothing itself and must hold no event loop."""

    def __init__(self, count: int, work: Callable[[str], None]) -> None:
        self._count = count
        self._work = work
        self._running: dict[int, tuple[str, float]] = {}
        self._stopping = False
        self._pause_s = 0.0

    def run(self) -> int:
        """Until all have ended after a stop signal; 0 when every one ended well."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._pass_on)
        for index in range(self._count):
            self._start(f"w{index}")
        failed = False
        while self._running:
            try:
                pid, status = os.wait()
            except ChildProcessError:
                break
            name, since_s = self._running.pop(pid)
            code = os.waitstatus_to_exitcode(status)
            if self._stopping:
                failed = failed or code != 0
                continue
            _LOG.error("worker %s ended with %d; starting it again", name, code)
            if time.monotonic() - since_s < SETTLED_S:
                self._pause_s = min(max(0.5, self._pause_s * 2), PAUSE_S_MAX)
                time.sleep(self._pause_s)
            else:
                self._pause_s = 0.0
            if not self._stopping:
                self._start(name)
        return 1 if failed else 0

    def _start(self, name: str) -> None:
        pid = os.fork()
        if pid:
            self._running[pid] = (name, time.monotonic())
            return
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        status = 1
        try:
            self._work(name)
            status = 0
        finally:
            os._exit(status)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        if number != signal.SIGHUP:
            self._stopping = True
        for pid in list(self._running):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue  # it has ended by itself
