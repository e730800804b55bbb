"""What a headless Chromium finds on the pages of the book."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import axe_playwright_python
from headless import MATH_IS_SET
from playwright.sync_api import (
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    ViewportSize,
)

CHECKS = Path(__file__).with_name("page_checks.js")
AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
DESK = ViewportSize(width=1280, height=900)
PHONE = ViewportSize(width=375, height=800)
IN_ENGLISH = '<p class="in-english"'
# With two frames the new colours and widths are there.
SETTLED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine; the value is its address."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections open: half the time

    def log_message(self, format: str, *args: object) -> None:
        pass


@dataclass
class Watch:
    """A page of the browser, with what went wrong on it and what it asked elsewhere."""

    page: Page
    home: str
    errors: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._request)
        self.page.on("requestfailed", lambda r: self.errors.append(f"{r.url}: {r.failure}"))
        self.page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.home, "data:", "blob:")):
            self.elsewhere.append(request.url)

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.errors.append(f"{response.status} {response.url}")

    def go(self, name: str) -> Page:
        """Open a page of the book and wait until its formulas are set."""
        self.page.goto(f"{self.home}/{name}", wait_until="load")
        self.page.evaluate(MATH_IS_SET)
        return self.page


def watch(context: BrowserContext, home: str) -> Watch:
    """Open an empty page that will show the book at `home`."""
    return Watch(context.new_page(), home)


@dataclass
class Findings:
    """What was found on one page; every list but the last two ought to be empty."""

    errors: list[str]
    elsewhere: list[str]
    raw_math: list[str]
    unrendered_math: list[str]
    bad_figures: list[str]
    axe: list[str]
    low_contrast: dict[str, list[str]]
    sideways: list[str]
    links: list[str]
    anchors: list[str]


def visit(context: BrowserContext, home: str, name: str) -> Findings:
    """Look at one page in light and dark, on a desk and on a phone."""
    seen = watch(context, home)
    page = seen.go(name)
    load_checks(page)
    found = {key: page.evaluate(f"pageChecks.{key}()") for key in _ONCE}
    contrast = {}
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        page.wait_for_function("t => document.documentElement.dataset.theme === t", arg=theme)
        page.evaluate(SETTLED)
        contrast[theme] = page.evaluate("pageChecks.lowContrast()")
    page.set_viewport_size(PHONE)
    page.evaluate(SETTLED)
    sideways = page.evaluate("pageChecks.sideways()")
    page.close()
    return Findings(
        seen.errors,
        seen.elsewhere,
        found["rawMath"],
        found["unrenderedMath"],
        found["badFigures"],
        found["axeFindings"],
        contrast,
        sideways,
        found["links"],
        found["anchors"],
    )


_ONCE = ("rawMath", "unrenderedMath", "badFigures", "axeFindings", "links", "anchors")


def load_checks(page: Page) -> None:
    """Give the page the functions that look at it."""
    page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
    page.add_script_tag(content=CHECKS.read_text(encoding="utf-8"))


def html_pages(html: Path) -> list[str]:
    """Return the pages to look at: not those that only lead on, and few that are there twice.

    Of the Chinese pages whose text is the English one, the first is enough.
    """
    # The theme lays two of its templates among the static files.
    found = [p.relative_to(html) for p in sorted(html.rglob("*.html")) if "_static" not in p.parts]
    names = [p.as_posix() for p in found if p.as_posix() not in {"index.html", "zh/index.html"}]
    same = [n for n in names if n.startswith("zh/") and IN_ENGLISH in (html / n).read_text("utf-8")]
    return [name for name in names if name not in same[1:]]
