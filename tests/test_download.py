"""`fetch` against a local server that truncates, corrupts, stalls, fails and resumes."""

from __future__ import annotations

import http.server
import random
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from recsys_interest import download
from recsys_interest.download import DownloadError, fetch

CONTENT = random.Random(0).randbytes(1 << 20)  # more than one read
HALF = len(CONTENT) // 2


@dataclass
class Site:
    """What the server answers, path by path, and what it was asked."""

    address: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)  # (path, Range header)
    done: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str) -> str:
        return f"{self.address}/{path}"

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def ranges(self) -> list[str]:
        return [span for _, span in self.asked]


class Handler(http.server.BaseHTTPRequestHandler):
    site: Site

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        path = self.path.lstrip("/")
        span = self.headers.get("Range", "")
        self.site.asked.append((path, span))
        count = self.site.paths().count(path)
        getattr(self, f"on_{path.partition('.')[0]}")(count, span)

    def on_good(self, count: int, span: str) -> None:
        self._send(200, CONTENT)

    def on_corrupt(self, count: int, span: str) -> None:
        self._send(200, CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]))

    def on_missing(self, count: int, span: str) -> None:
        self.send_error(404)

    def on_busy(self, count: int, span: str) -> None:
        if count == 1:
            return self.send_error(500)
        if count == 2:
            return self.send_error(429)
        return self._send(200, CONTENT)

    def on_down(self, count: int, span: str) -> None:
        self.send_error(503)

    def on_unsized(self, count: int, span: str) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(CONTENT)

    def on_resumable(self, count: int, span: str) -> None:
        """Cut the first answer, go on where the second request asks to."""
        if not span:
            return self._send(200, CONTENT[:HALF], length=len(CONTENT), ETag='"one"')
        start = int(span.removeprefix("bytes=").removesuffix("-"))
        assert self.headers["If-Range"] == '"one"'
        end = len(CONTENT)
        return self._send(
            206, CONTENT[start:], **{"Content-Range": f"bytes {start}-{end - 1}/{end}"}
        )

    def on_restarting(self, count: int, span: str) -> None:
        """Cut the first answer, and know nothing of ranges."""
        self._send(200, CONTENT[:HALF] if count == 1 else CONTENT, length=len(CONTENT))

    def on_confused(self, count: int, span: str) -> None:
        """Cut the first answer, go on from a wrong place, then answer in full."""
        if count == 1:
            return self._send(200, CONTENT[:HALF], length=len(CONTENT))
        if count == 2:
            span = f"bytes 0-{HALF - 1}/{len(CONTENT)}"
            return self._send(206, CONTENT[:HALF], **{"Content-Range": span})
        return self._send(200, CONTENT)

    def on_unsatisfied(self, count: int, span: str) -> None:
        if span:
            return self.send_error(416)
        return self._send(200, CONTENT[:HALF] if count == 1 else CONTENT, length=len(CONTENT))

    def on_truncated(self, count: int, span: str) -> None:
        self._send(200, CONTENT[:HALF], length=len(CONTENT))

    def on_silent(self, count: int, span: str) -> None:
        self.site.done.wait()

    def on_stalled(self, count: int, span: str) -> None:
        self._send(200, CONTENT[:HALF], length=len(CONTENT))
        self.site.done.wait()

    def on_elsewhere(self, count: int, span: str) -> None:
        self.send_response(302)
        self.send_header("Location", "ftp://127.0.0.1/good.bin")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, status: int, body: bytes, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False  # closing the server waits for every answer to end


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("no_proxy", "*")
    site = Site()
    handler = type("BoundHandler", (Handler,), {"site": site})
    with Server(("127.0.0.1", 0), handler) as server:
        site.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield site
        site.done.set()
        server.shutdown()
        thread.join()


def check(path: Path) -> None:
    if path.read_bytes() != CONTENT:
        raise ValueError("fingerprint is aaaa, expected bbbb")


def get(site: Site, target: Path, *paths: str, retries: int = 2, timeout: float = 5.0) -> Path:
    return fetch(
        [site.url(path) for path in paths],
        target,
        check=check,
        timeout=timeout,
        retries=retries,
        pause=0,
        progress=False,
    )


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "new" / "data.bin"


def only_file(target: Path) -> bool:
    return [p.name for p in target.parent.iterdir()] == [target.name]


@pytest.mark.parametrize("path", ["good.bin", "unsized.bin"])
def test_a_good_file_arrives(site: Site, target: Path, path: str) -> None:
    assert get(site, target, path) == target
    assert target.read_bytes() == CONTENT
    assert only_file(target)
    assert site.ranges() == [""]


def test_the_progress_bar_changes_nothing(site: Site, target: Path) -> None:
    fetch([site.url("good.bin")], target, check=check, progress=True)
    assert target.read_bytes() == CONTENT


def test_a_cut_transfer_is_resumed_where_it_broke(site: Site, target: Path) -> None:
    get(site, target, "resumable.bin")
    assert target.read_bytes() == CONTENT
    assert site.ranges() == ["", f"bytes={HALF}-"]


@pytest.mark.parametrize("path", ["restarting.bin", "confused.bin", "unsatisfied.bin"])
def test_a_server_that_cannot_resume_starts_again(site: Site, target: Path, path: str) -> None:
    get(site, target, path)
    assert target.read_bytes() == CONTENT
    assert site.ranges()[1] == f"bytes={HALF}-"
    assert only_file(target)


def test_a_busy_server_is_asked_again(site: Site, target: Path) -> None:
    get(site, target, "busy.bin")
    assert site.paths() == ["busy.bin"] * 3


def test_pauses_double(site: Site, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(download.time, "sleep", pauses.append)
    with pytest.raises(DownloadError):
        fetch([site.url("down.bin")], target, check=check, retries=3, pause=0.5)
    assert pauses == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("first", ["missing.bin", "corrupt.bin", "elsewhere.bin"])
def test_what_cannot_pass_goes_straight_to_the_mirror(site: Site, target: Path, first: str) -> None:
    get(site, target, first, "good.bin")
    assert site.paths() == [first, "good.bin"]
    assert target.read_bytes() == CONTENT
    assert only_file(target)


@pytest.mark.parametrize("first", ["silent.bin", "stalled.bin"])
def test_a_stalling_server_is_left_for_the_mirror(site: Site, target: Path, first: str) -> None:
    get(site, target, first, "good.bin", retries=1, timeout=0.2)
    assert site.paths() == [first, first, "good.bin"]
    assert target.read_bytes() == CONTENT


def test_a_mirror_gets_no_bytes_of_the_first_address(site: Site, target: Path) -> None:
    get(site, target, "truncated.bin", "good.bin", retries=0)
    assert site.asked == [("truncated.bin", ""), ("good.bin", "")]


def test_no_server_at_all_is_not_tried_again(site: Site, target: Path) -> None:
    closed = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    nobody = f"http://127.0.0.1:{closed.server_address[1]}/good.bin"
    closed.server_close()
    fetch([nobody, site.url("good.bin")], target, check=check, pause=99)
    assert target.read_bytes() == CONTENT


def test_the_error_lists_each_address_and_the_way_by_hand(site: Site, target: Path) -> None:
    paths = [
        "missing.bin",
        "corrupt.bin",
        "truncated.bin",
        "down.bin",
        "silent.bin",
        "elsewhere.bin",
    ]
    with pytest.raises(DownloadError) as caught:
        get(site, target, *paths, retries=1, timeout=0.2)
    message = str(caught.value)
    reasons = [
        r"HTTP 404",
        r"wrong content: fingerprint is aaaa, expected bbbb",
        rf"cut after {HALF:,} of {len(CONTENT):,} bytes \(tried 2 times\)",
        r"HTTP 503 .* \(tried 2 times\)",
        r"no answer in time \(tried 2 times\)",
        r"cannot be reached \(unknown url type: ftp\)",
    ]
    for path, reason in zip(paths, reasons, strict=True):
        assert re.search(rf"{re.escape(site.url(path))}\n +{reason}", message)
    assert f"save it as\n  {target}" in message


@pytest.mark.parametrize("path", ["missing.bin", "corrupt.bin", "truncated.bin"])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    site: Site, target: Path, path: str
) -> None:
    target.parent.mkdir()
    target.write_text("old")
    with pytest.raises(DownloadError):
        get(site, target, path)
    assert target.read_text() == "old"
    assert only_file(target)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, OSError])
def test_any_other_exception_passes_and_cleans_up(
    site: Site, target: Path, error: type[BaseException]
) -> None:
    def interrupted(path: Path) -> None:
        assert path.parent == target.parent
        raise error

    with pytest.raises(error):
        fetch([site.url("good.bin")] * 2, target, check=interrupted, progress=False)
    assert list(target.parent.iterdir()) == []
    assert site.paths() == ["good.bin"]


def test_a_folder_that_cannot_be_made(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DownloadError, match=r"cannot write in the folder .*file"):
        get(site, tmp_path / "file" / "data.bin", "good.bin")
    assert site.asked == []


@pytest.mark.parametrize(
    "url", ["ftp://example.org/a", "file:///etc/hosts", "example.org/a", "https://", ""]
)
def test_only_web_addresses(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError, match=rf"http or https addresses, got '{re.escape(url)}'"):
        fetch(["https://example.org/a", url], tmp_path / "a", check=check)
    assert list(tmp_path.iterdir()) == []


def test_odd_arguments(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"write \['https://example.org/a'\]"):
        fetch("https://example.org/a", tmp_path / "a", check=check)
    with pytest.raises(ValueError, match="urls is empty"):
        fetch([], tmp_path / "a", check=check)
    with pytest.raises(ValueError, match=r"timeout above 0, got -1, 1\.0 and 30\.0"):
        fetch(["https://example.org/a"], tmp_path / "a", check=check, retries=-1)
