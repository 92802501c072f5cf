"""A real browser, and pages in it that must neither complain nor ask for anything."""

import os
import shutil

import pytest

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = ("chromium", "chromium-browser", "google-chrome")


def _missing(what):
    if os.environ.get("CI"):
        pytest.fail(f"{what}: the page must be tried in a browser in CI")
    pytest.skip(what)


@pytest.fixture(scope="session")
def browser():
    """Chromium, from the variable CHROMIUM or the path."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _missing("playwright is not installed")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        _missing("no Chromium was found")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield chromium
        chromium.close()


class Watched:
    """Opens pages, and keeps what they say and ask for."""

    def __init__(self, browser, folder):
        self.browser = browser
        self.folder = folder
        self.complaints = []
        self.requests = []
        self.contexts = []

    def open(self, html, width=1280, height=900, **context):
        """Show a page from a file and wait until it has drawn itself."""
        context = self.browser.new_context(viewport={"width": width, "height": height}, **context)
        self.contexts.append(context)
        context.set_default_timeout(5000)
        page = context.new_page()
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        path = self.folder / f"page{len(self.contexts)}.html"
        path.write_text(html, encoding="utf-8")
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready], iframe")
        assert self.requests[-1] == path.as_uri()
        return page


@pytest.fixture
def pages(browser, tmp_path):
    """Open pages of which each must load itself alone and have nothing to say on the console."""
    watched = Watched(browser, tmp_path)
    yield watched
    for context in watched.contexts:
        context.close()
    assert watched.complaints == []
    assert len(watched.requests) == len(watched.contexts)
