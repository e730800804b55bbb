"""A headless Chromium without a network: it prints the book, and the tests look with it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Every name but this machine's is unknown, so nothing can be fetched from elsewhere.
CLOSED = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
MATH_IS_SET = "() => window.MathJax?.startup?.promise?.then(() => true) ?? true"


def chromium() -> str | None:
    """Return the path of an installed Chromium, None if there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def started() -> Iterator[Browser]:
    """Start the browser without a network."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium(), args=[CLOSED])
        yield browser
        browser.close()
