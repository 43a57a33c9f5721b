"""A real Chromium. What goes wrong on a page, or asks another machine for something, fails the test that opened it."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright

from tests.live import ROOT
from tests.tools import program

SCREENSHOTS = ROOT / "build" / "screenshots"
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


# One browser for a file, not for the session: while Playwright runs, its event loop counts as the running one of this
# thread, and other tests could not use asyncio.
@pytest.fixture(scope="module")
def chromium():
    """Debian's Chromium, with a fresh folder of user data; Playwright brings no browser of its own."""
    path = program("chromium", "chromium-browser", "google-chrome", install="Install it with: make browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Watch:
    """What pages did that none of them may do."""

    wrongs: list = field(default_factory=list)

    def over(self, page):
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.wrongs.append(f"uncaught: {error}"))
        page.on("request", self._request)
        page.on("response", self._response)

    def _console(self, message):
        # Chromium says this of every answer that is an error, though the page expects it; files are looked at below.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.wrongs.append(f"console: {message.text}")

    def _request(self, request):
        where = urlsplit(request.url)
        if where.scheme not in ("data", "blob") and where.hostname != "127.0.0.1":
            self.wrongs.append(f"another machine is asked: {request.url}")

    def _response(self, response):
        if response.status >= 400 and response.request.resource_type != "fetch":
            self.wrongs.append(f"{response.status} for {response.url}")


@pytest.fixture
def browse(chromium):
    """Open pages, each as a person of its own: `browse(width=360, color_scheme="dark")`."""
    watch, contexts = Watch(), []

    def open_page(width=1100, height=900, **options):
        contexts.append(chromium.new_context(viewport={"width": width, "height": height}, **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(10_000)
        watch.over(page)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert watch.wrongs == []


@pytest.fixture
def shoot():
    """Keep a picture of a page for people to look at."""

    def keep(page, name, *, full_page=True):
        page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=full_page)

    return keep
