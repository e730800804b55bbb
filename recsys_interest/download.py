"""Fetch one file from the first address that has it right: verified, resumed, atomic.

Chapter: 01 (behaviour logs).
"""

from __future__ import annotations

import http.client
import logging
import os
import re
import secrets
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tqdm.auto import tqdm

from recsys_interest.checks import shown

__all__ = ["DownloadError", "fetch"]

_log = logging.getLogger(__name__)

_CHUNK = 1 << 16
_TRY_AGAIN = frozenset({408, 425, 429})  # and everything from 500 on


class DownloadError(OSError):
    """No address gave the file; the message lists each with its reason, and the way by hand."""


class _Passing(Exception):
    """A failure that may be gone at the next try: a cut, a timeout, a busy server."""


class _Lasting(Exception):
    """A failure that the next try would meet again: not found, wrong content, no such host."""


def fetch(
    urls: Iterable[str],
    target: Path,
    *,
    check: Callable[[Path], None],
    timeout: float = 30.0,
    retries: int = 3,
    pause: float = 1.0,
    progress: bool = True,
) -> Path:
    """Download a file to `target` from the first of `urls` whose content passes `check`.

    The bytes go to a temporary file next to `target`, which takes its name in one step only when
    they are complete and right; whatever happens, no half file stays and an older `target` is left
    as it was. A cut transfer goes on where it broke if the server can do that (HTTP 206).

    Parameters
    ----------
    urls : iterable of str
        Addresses of the same file, best first; `http` or `https`.
    target : Path
        Where the file goes; its folder is made if need be.
    check : callable
        Called with the path of the complete temporary file; raises ValueError if it is wrong.
    timeout : float, default 30.0
        Seconds without a byte after which a server counts as stalled.
    retries : int, default 3
        Further tries per address after a failure that can pass (cut, timeout, 429, 5xx). Anything
        else goes straight to the next address.
    pause : float, default 1.0
        Seconds before the first further try; doubled each time.
    progress : bool, default True
        Show a progress bar when the download takes more than two seconds.

    Returns
    -------
    Path
        `target`.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, for example an address that is not http(s).
    DownloadError
        If no address gave the right file, or the folder cannot be written.

    Notes
    -----
    Chapter 01, "Behaviour logs". Resuming follows RFC 9110, section 14 (range requests).

    Examples
    --------
    >>> fetch(["ftp://example.org/a.zip"], Path("a.zip"), check=lambda path: None)
    Traceback (most recent call last):
        ...
    ValueError: urls must be http or https addresses, got 'ftp://example.org/a.zip'
    """
    addresses = _checked_addresses(urls)
    if retries < 0 or pause < 0 or not timeout > 0:
        raise ValueError(
            f"retries and pause must be at least 0 and timeout above 0, "
            f"got {retries}, {pause} and {timeout}"
        )
    target = Path(target)
    part = _open_part(target)
    try:
        with part:
            failures = _first_right(addresses, part, check, (timeout, retries, pause), progress)
        if failures:
            raise DownloadError(_all_failed(failures, target))
        os.replace(part.name, target)
    finally:
        Path(part.name).unlink(missing_ok=True)
    return target


def _checked_addresses(urls: Iterable[str]) -> list[str]:
    if isinstance(urls, str):
        raise TypeError(f"urls must be a list of addresses, got one text; write [{urls!r}]")
    addresses = list(urls)
    odd = [u for u in addresses if not re.match(r"https?://[^/\s]", u, flags=re.IGNORECASE)]
    if odd:
        raise ValueError(f"urls must be http or https addresses, got {shown(odd)}")
    if not addresses:
        raise ValueError("urls is empty; give at least one address")
    return addresses


def _open_part(target: Path) -> BinaryIO:
    # Next to the target, because a rename is atomic only within one file system.
    name = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        return name.open("xb")
    except OSError as error:
        raise DownloadError(
            f"cannot write in the folder {target.parent} ({error.strerror}); choose another one"
        ) from error


def _first_right(
    addresses: list[str],
    part: BinaryIO,
    check: Callable[[Path], None],
    patience: tuple[float, int, float],
    progress: bool,
) -> list[tuple[str, str]]:
    """Fill `part` from the first good address; return the failures, none if one was good."""
    failures = []
    for address in addresses:
        try:
            _with_retries(address, part, patience, progress)
            part.flush()
            check(Path(part.name))
        except (_Passing, _Lasting, ValueError) as error:
            reason = f"wrong content: {error}" if isinstance(error, ValueError) else str(error)
            _log.warning("%s: %s", address, reason)
            failures.append((address, reason))
        else:
            return []
    return failures


def _with_retries(
    address: str, part: BinaryIO, patience: tuple[float, int, float], progress: bool
) -> None:
    timeout, retries, pause = patience
    transfer = _Transfer(address, part, timeout, progress)
    transfer.start_again()
    for attempt in range(retries + 1):
        try:
            transfer.run()
        except _Passing as error:
            if attempt == retries:
                raise _Passing(f"{error} (tried {retries + 1} times)") from error
            _log.info("%s: %s; trying again", address, error)
            time.sleep(pause * 2**attempt)
        else:
            return


@dataclass
class _Transfer:
    """One address being written to one file, over as many requests as it takes."""

    address: str
    part: BinaryIO
    timeout: float
    progress: bool
    validator: str = ""  # names the version of the file that the bytes so far belong to

    def start_again(self) -> None:
        self.part.seek(0)
        self.part.truncate()

    def run(self) -> None:
        """Ask for the missing bytes and write them, or raise `_Passing` or `_Lasting`."""
        with self._answer() as answer:
            total = self._place(answer)
            with tqdm(
                total=total,
                initial=self.part.tell(),
                desc=self.address.rsplit("/", 1)[-1],
                unit="B",
                unit_scale=True,
                delay=2,
                leave=False,
                disable=not self.progress,
            ) as bar:
                while chunk := _read(answer):
                    self.part.write(chunk)
                    bar.update(len(chunk))
        if total is not None and self.part.tell() != total:
            raise _Passing(f"cut after {self.part.tell():,} of {total:,} bytes")

    def _answer(self) -> http.client.HTTPResponse:
        request = urllib.request.Request(self.address, headers={"User-Agent": "recsys-interest"})
        if done := self.part.tell():
            request.add_header("Range", f"bytes={done}-")
            if self.validator:
                request.add_header("If-Range", self.validator)
        try:
            answer: http.client.HTTPResponse = _opener().open(request, timeout=self.timeout)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416:  # the bytes so far fit no version of the file
                self.start_again()
                raise _Passing("the server could not go on where the transfer broke") from None
            busy = error.code >= 500 or error.code in _TRY_AGAIN
            raise (_Passing if busy else _Lasting)(f"HTTP {error.code} {error.reason}") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _network_failure(error) from None
        return answer

    def _place(self, answer: http.client.HTTPResponse) -> int | None:
        """Move to where the answer's bytes belong; return the size of the whole file if known."""
        done = self.part.tell()
        span = re.match(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
        if answer.status == 206:
            if span is None or int(span[1]) != done:
                self.start_again()
                raise _Passing("the server went on from another place than asked")
            return None if span[2] == "*" else int(span[2])
        self.start_again()
        etag = answer.headers.get("ETag", "")
        strong = etag if etag.startswith('"') else ""  # a weak one does not promise equal bytes
        self.validator = strong or answer.headers.get("Last-Modified", "")
        length = answer.headers.get("Content-Length", "")
        return int(length) if length.isdecimal() else None


def _read(answer: http.client.HTTPResponse) -> bytes:
    try:
        return answer.read1(_CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _network_failure(error) from None


def _network_failure(error: Exception) -> _Passing | _Lasting:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, (TimeoutError, socket.timeout)):
        return _Passing("no answer in time")
    if isinstance(reason, ConnectionError) and not isinstance(reason, ConnectionRefusedError):
        return _Passing(f"the connection broke ({type(reason).__name__})")
    if isinstance(reason, http.client.IncompleteRead):
        return _Passing("cut before the end")
    return _Lasting(f"cannot be reached ({reason or type(error).__name__})")


def _opener() -> urllib.request.OpenerDirector:
    # Not build_opener(): that one would follow a redirect from https to ftp.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener


def _all_failed(failures: list[tuple[str, str]], target: Path) -> str:
    lines = "".join(f"\n  {address}\n    {reason}" for address, reason in failures)
    return (
        f"no address gave {target.name}:{lines}\n"
        f"To put it there by hand, open one of the addresses in a browser and save it as\n"
        f"  {target}"
    )
