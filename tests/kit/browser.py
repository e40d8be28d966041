"""A real Chromium, driven by Playwright: Debian's own, which `make servers` installs.

Nothing a page does goes unnoticed: what it complains of, what breaks its Content-Security-Policy,
and whom else it asks is gathered, and a test that did not expect it fails.
"""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

PATIENCE_MS = 30_000
_SEEN = """
  addEventListener("securitypolicyviolation", (event) =>
    console.error("CSP " + event.violatedDirective + " " + event.blockedURI));
"""


def chromium() -> str:
    """The program."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if at := shutil.which(name):
            return at
    pytest.fail("chromium is not installed: `make servers` as root", pytrace=False)


@contextlib.contextmanager
def opened_browser() -> Iterator[Browser]:
    """One process of it."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visit:
    """One person's browser: cookies of its own, and what its pages complained of. `expected` are
    statuses of replies that the test means to see, `visited` other sites it means to go to."""

    context: BrowserContext
    base: str
    page: Page
    complaints: list[str] = field(default_factory=list)
    expected: set[int] = field(default_factory=set)
    visited: tuple[str, ...] = ()

    def go(self, path: str) -> Page:
        """Load a page and wait until it has shown itself."""
        self.page.goto(self.base + path)
        self.page.wait_for_selector("main[data-shown], #sign-in-title, #choose-title")
        return self.page

    def sign_in(self, email: str, password: str) -> None:
        """Past the page, for tests of something else."""
        said = self.context.request.post(
            f"{self.base}/console/session", data={"email": email, "password": password}
        )
        assert said.ok, said.text()
        assert said.json() == {"signed_in": True}

    def session(self) -> Any:
        """What a page is told of who is signed in."""
        return self.context.request.get(f"{self.base}/console/session").json()

    def unexpected(self) -> list[str]:
        """What was complained of and not meant."""
        meant = tuple([f"status of {status}" for status in self.expected])
        return [
            each for each in self.complaints if not (meant and any(word in each for word in meant))
        ]


def visit(browser: Browser, base: str, **wishes: Any) -> Visit:
    """A new one. `wishes` are those of Playwright's contexts, such as a viewport."""
    context = browser.new_context(**wishes)
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(_SEEN)
    found = Visit(context, base, context.new_page())
    page = found.page

    def heard(kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            found.complaints.append(text)

    page.on("console", lambda message: heard(message.type, message.text))
    page.on("pageerror", lambda error: found.complaints.append(f"script failed: {error}"))
    page.on("request", lambda request: _at_home(found, request.url))
    return found


def _at_home(found: Visit, url: str) -> None:
    if not url.startswith((found.base, "blob:", "data:", *found.visited)):
        found.complaints.append(f"asked somebody else: {url}")


def picture(page: Page, folder: Path, name: str) -> None:
    """What a page looks like, for people; the folder is no part of the repository."""
    folder.mkdir(parents=True, exist_ok=True)
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=folder / f"{name}.png", full_page=True)
