"""The demo's model provider as a process of its own."""

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator

from tests.kit.running import ROOT


@contextlib.contextmanager
def demo_provider(*options: str) -> Iterator[str]:
    """Its address, as long as the block lasts; `options` are those of its command."""
    command = ["proxy.demo.upstream", "--port", "0", "--die-with-parent", *options]
    running = subprocess.Popen(
        [sys.executable, "-m", *command], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    with running.stdout as said:
        try:
            heard = re.match(r"listening (http://\S+)", said.readline())
            assert heard is not None
            yield heard[1]
        finally:
            running.terminate()
            running.wait()
