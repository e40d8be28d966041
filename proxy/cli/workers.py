"""Several processes on one port: started, started again when one dies, stopped together."""

import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from types import FrameType

from proxy.cli.process import end_with_parent
from proxy.observe.workers import worker_names

_LOG = logging.getLogger("proxy.workers")

SETTLED_S = 5.0
PAUSE_S_MAX = 10.0
NAP_S = 0.1

_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# A worker that is told to stop before it listens to signals ends by the signal itself.
_ENDED_WELL = (0, -signal.SIGTERM, -signal.SIGINT)


class Workers:
    """The parent of `count` workers. It serves nothing itself and must hold no event loop.

    `work` is one worker's life; it gives the exit status.
    """

    def __init__(self, count: int, work: Callable[[str], int]) -> None:
        self._count = count
        self._work = work
        self._running: dict[int, tuple[str, float]] = {}
        self._stopping = False
        self._pause_s = 0.0

    def run(self) -> int:
        """Until all have ended after a stop signal; 0 when every one ended well."""
        for number in _PASSED_ON:
            signal.signal(number, self._pass_on)
        for name in worker_names(self._count):
            self._start(name)
        failed = False
        while self._running:
            try:
                pid, status = os.wait()
            except ChildProcessError:
                break
            name, since_s = self._running.pop(pid)
            code = os.waitstatus_to_exitcode(status)
            if self._stopping:
                failed = failed or code not in _ENDED_WELL
                continue
            _LOG.error("worker %s ended with %d; starting it again", name, code)
            if time.monotonic() - since_s < SETTLED_S:
                self._pause_s = min(max(0.5, self._pause_s * 2), PAUSE_S_MAX)
                self._pause()
            else:
                self._pause_s = 0.0
            self._start(name)
        return 1 if failed else 0

    def _pause(self) -> None:
        """In short naps: a sleep goes on after a signal, and a stop should not wait for it."""
        end_s = time.monotonic() + self._pause_s
        while not self._stopping and time.monotonic() < end_s:
            time.sleep(NAP_S)

    def _start(self, name: str) -> None:
        # A signal that came between the fork and the note of it would pass the new worker by.
        signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON)
        parent = os.getpid()
        try:
            if self._stopping:
                return
            pid = os.fork()
            if pid:
                self._running[pid] = (name, time.monotonic())
                return
            for number in _PASSED_ON:
                signal.signal(number, signal.SIG_DFL)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
        end_with_parent(parent)
        status = 1
        try:
            status = self._work(name)
        finally:
            if sys.exc_info()[0] is not None:
                traceback.print_exc()  # nobody else reports it: _exit ends the interpreter at once
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        if number != signal.SIGHUP:
            self._stopping = True
        for pid in list(self._running):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue  # it has ended by itself
