"""Fitted state in a folder: parquet, safetensors, skops and a manifest that vouches for each file.

Chapter: 00 (quickstart).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from secrets import token_hex
from typing import Any

import numpy as np
import pandas as pd

from recsys_interest.checks import shown
from recsys_interest.files import of_one_kind

__all__ = ["FORMAT_VERSION", "FormatError", "load_folder", "save_folder"]

FORMAT = "recsys-interest-pipeline"
#: Version of the folder's layout; a newer one is refused.
FORMAT_VERSION = 1
MANIFEST = "manifest.json"

#: Classes that saved objects may hold beside scikit-learn's own: this package's, and the node table
#: of decision trees, which skops asks about because a forged one can crash the interpreter; the
#: manifest's checksums find a damaged one, but a folder from a stranger remains a stranger's.
_TRUSTED = ("recsys_interest.", "sklearn.tree._tree.Tree")


class FormatError(ValueError):
    """A saved folder cannot be used; the message names the file and says why."""


def save_folder(
    folder: Path,
    tables: dict[str, pd.DataFrame],
    vectors: dict[str, pd.DataFrame],
    objects: dict[str, Any],
) -> Path:
    """Write everything to a new folder beside the target and rename it into place.

    Parameters
    ----------
    folder : Path
        New, empty, or an earlier save, which is replaced.
    tables, vectors, objects : dict
        Frames; frames of float32 indexed by id; scikit-learn objects.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    FileExistsError
        If the folder holds something else.
    """
    folder = check_target(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Not mkdtemp, whose folder only its owner may read.
    new = folder.with_name(f".saving-{token_hex(8)}")
    new.mkdir()
    try:
        _write_tables(new, tables)
        _write_vectors(new, vectors)
        _write_objects(new, objects)
        _write_manifest(new)
        _swap(new, folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return folder


def check_target(folder: Path) -> Path:
    """Return where to save, or say why nothing may be saved there.

    Parameters
    ----------
    folder : Path
        The folder that is asked for.

    Returns
    -------
    Path
        The folder, absolute and without symbolic links.

    Raises
    ------
    FileExistsError
        If it holds anything but an earlier save, or is the current folder.
    """
    folder = folder.resolve()
    if folder == Path.cwd():
        raise FileExistsError(f"{folder} is the current folder; choose a new one")
    if folder.exists() and not _replaceable(folder):
        raise FileExistsError(f"{folder} holds something else; choose a new folder")
    return folder


def load_folder(
    folder: Path, *, trusted: Iterable[str] = ()
) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame], dict[str, Any]]:
    """Read what `save_folder` wrote, after checking every file against the manifest.

    Parameters
    ----------
    folder : Path
        The folder.
    trusted : iterable of str
        Further class names that may be loaded.

    Returns
    -------
    tuple of dict
        Tables, vectors and objects.

    Raises
    ------
    FormatError
        If anything is missing, cut, changed, newer, or not trusted.
    """
    names = _check_manifest(folder)
    readers: dict[str, Callable[[Path], Any]] = {
        ".parquet": pd.read_parquet,
        ".safetensors": _read_vectors,
        ".skops": lambda path: _read_object(path, trusted),
    }
    found: dict[str, dict[str, Any]] = {ending: {} for ending in readers}
    for path in (folder / name for name in names):
        try:
            found[path.suffix][path.stem] = readers[path.suffix](path)
        except FormatError:
            raise
        except Exception as error:  # whatever a reader raises on a file that is not what it says
            raise FormatError(f"{path} cannot be read: {type(error).__name__}: {error}") from None
    return found[".parquet"], found[".safetensors"], found[".skops"]


def _replaceable(folder: Path) -> bool:
    """Say whether the folder is empty or holds an earlier save and nothing else."""
    if not folder.is_dir():
        return False
    there = {path.name for path in folder.iterdir()}
    if not there:
        return True
    try:
        manifest = _read_manifest(folder / MANIFEST)
    except FormatError:
        return False
    return there <= {MANIFEST, *manifest["files"]}


def _swap(new: Path, folder: Path) -> None:
    if not folder.exists():
        os.replace(new, folder)
        return
    old = Path(tempfile.mkdtemp(prefix=".replaced-", dir=folder.parent))
    try:
        os.replace(folder, old)
        try:
            os.replace(new, folder)
        except OSError:
            os.replace(old, folder)
            raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _write_tables(folder: Path, tables: dict[str, pd.DataFrame]) -> None:
    for name, table in tables.items():
        named = table.set_axis([str(c) for c in table.columns], axis=1)
        of_one_kind(named).to_parquet(folder / f"{name}.parquet")


def _write_vectors(folder: Path, vectors: dict[str, pd.DataFrame]) -> None:
    from safetensors.numpy import save_file

    for name, frame in vectors.items():
        ids = frame.index.tolist()
        labels = {"ids": json.dumps(ids), "columns": json.dumps(frame.columns.tolist()),
                  "index": json.dumps(frame.index.name)}  # fmt: skip
        rows = np.ascontiguousarray(frame.to_numpy(dtype=np.float32))
        save_file({"vectors": rows}, folder / f"{name}.safetensors", metadata=labels)


def _read_vectors(path: Path) -> pd.DataFrame:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        labels = {key: json.loads(value) for key, value in file.metadata().items()}
        rows = file.get_tensor("vectors")
    index = pd.Index(labels["ids"], name=labels["index"], dtype=None if labels["ids"] else "str")
    return pd.DataFrame(rows, index=index, columns=labels["columns"])


def _write_objects(folder: Path, objects: dict[str, Any]) -> None:
    import skops.io

    for name, thing in objects.items():
        skops.io.dump(thing, folder / f"{name}.skops")


def _read_object(path: Path, trusted: Iterable[str]) -> Any:
    import skops.io

    allowed = [*trusted]
    asked = skops.io.get_untrusted_types(file=path)
    allowed += [name for name in asked if name.startswith(_TRUSTED)]
    unknown = sorted(set(asked) - set(allowed))
    if unknown:
        raise FormatError(
            f"{path.name} holds classes that are not trusted: {shown(unknown)}; if you know where "
            f"the folder comes from, load it with trusted={unknown}"
        )
    with warnings.catch_warnings():
        # Said to the reader where it can be acted on: at `_TRUSTED` and in the documentation.
        warnings.filterwarnings("ignore", message=".*Tree.*", module="skops")
        return skops.io.load(path, trusted=allowed)


def _write_manifest(folder: Path) -> None:
    from recsys_interest import __version__

    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": _sha256(path)}
        for path in sorted(folder.iterdir())
    }
    body = {"format": FORMAT, "version": FORMAT_VERSION, "package": __version__, "files": files}
    text = json.dumps({**body, "checksum": _checksum(body)}, indent=1)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _check_manifest(folder: Path) -> list[str]:
    """Return the files to read, after checking each."""
    manifest = _read_manifest(folder / MANIFEST)
    for name, expected in manifest["files"].items():
        path = folder / name
        if Path(name).name != name or not path.is_file():
            raise FormatError(f"{folder}: the file {name} is missing; save the pipeline again")
        size = path.stat().st_size
        if size != expected["bytes"]:
            raise FormatError(
                f"{path} has {size} bytes instead of {expected['bytes']}: it was cut or changed"
            )
        found = _sha256(path)
        if found != expected["sha256"]:
            raise FormatError(
                f"{path} was changed: its sha256 is {found}, saved was {expected['sha256']}"
            )
    return list(manifest["files"])


def _read_manifest(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FormatError(f"{path.parent} has no {MANIFEST}, so it is not a saved pipeline")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path} is cut or is not JSON: {error}") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise FormatError(f"{path} does not describe a saved pipeline")
    version = manifest.get("version")
    if isinstance(version, bool) or not isinstance(version, int) or version > FORMAT_VERSION:
        raise FormatError(
            f"{path} has the format version {version!r}, this package reads up to "
            f"{FORMAT_VERSION}; upgrade recsys-interest"
        )
    if manifest.pop("checksum", None) != _checksum(manifest):
        raise FormatError(f"{path} was changed: its checksum does not fit its content")
    if version < 1 or not isinstance(manifest.get("files"), dict):
        raise FormatError(f"{path} does not describe a saved pipeline")
    return manifest


def _checksum(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
