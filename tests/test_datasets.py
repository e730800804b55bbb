"""Real data by name: published content, and every way a download can bring something else."""

from __future__ import annotations

import dataclasses
import functools
import gzip
import http.server
import io
import logging
import os
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from recsys_interest import dataset_files, datasets
from recsys_interest.dataset_catalogue import RealData, real_data
from recsys_interest.dataset_parsers import film_title
from recsys_interest.datasets import (
    Dataset,
    list_datasets,
    load_dataset,
)
from recsys_interest.download import DownloadError
from recsys_interest.interest_log import make_interest_log
from recsys_interest.schema import validate_events, validate_items

SPEC = real_data()["movielens-small"]

# The real data in small: the same three files, with every oddity that the parser must handle.
FILES = {
    "ratings.csv": "userId,movieId,rating,timestamp\n2,10,4.5,100\n1,20,0.5,50\n1,10,5.0,100\n",
    "tags.csv": 'userId,movieId,tag,timestamp\n2,10,"so, so ""good""",90\n1,20,null,50\n',
    "movies.csv": (
        "movieId,title,genres\n"
        '20,"Matrix, The (1999)",Action|Sci-Fi\n'
        "10,NA (2001),(no genres listed)\n"
        "30,Misérables  (1998) ,Drama\n"
    ),
}


def zip_bytes(files: dict[str, str], folder: str = "ml-latest-small/") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(folder + name, text.encode())
    return buffer.getvalue()


def small_spec(*urls: str) -> RealData:
    """Return the real row with the content of FILES instead of the published one."""
    tables = []
    for table in SPEC.tables:
        unchecked = dataclasses.replace(table, rows=-1)
        frame = dataset_files.read_csv(unchecked, FILES[table.file].encode())
        fingerprint = dataset_files.fingerprint(frame)
        tables.append(dataclasses.replace(table, rows=len(frame), fingerprint=fingerprint))
    return dataclasses.replace(SPEC, tables=tuple(tables), urls=urls)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False  # closing the server waits for every answer to end


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, bytes], str]]:
    """Return a function that puts a file on a local server and gives its address."""
    monkeypatch.setenv("no_proxy", "*")
    folder = tmp_path / "site"
    folder.mkdir()
    handler = functools.partial(QuietHandler, directory=str(folder))
    with Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()

        def put(name: str, content: bytes) -> str:
            if content:
                (folder / name).write_bytes(content)
            return f"http://127.0.0.1:{server.server_address[1]}/{name}"

        yield put
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def no_shared_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECSYS_INTEREST_DATA", raising=False)


def load(spec: RealData, cache: Path, *, download: bool = True) -> Dataset:
    return datasets.load(spec, cache, download=download, progress=False)


@pytest.fixture(scope="module")
def movielens() -> Dataset:
    try:
        return load_dataset("movielens-small", download=False)
    except FileNotFoundError as error:
        pytest.skip(f"needs movielens-small: {error}")


# The real data --------------------------------------------------------------------------------


def test_published_counts(movielens: Dataset) -> None:
    kinds = movielens.events["event"].value_counts().to_dict()
    assert kinds == {"rate": 100_836, "comment": 3_683}
    assert len(movielens.items) == 9_742
    assert movielens.events["user_id"].nunique() == 610
    assert repr(movielens) == ("Dataset('movielens-small': 104,519 events, 610 users, 9,742 items)")
    assert movielens.truth == {}
    assert "10.1145/2827872" in movielens.about
    assert "no commercial use" in movielens.licence


def test_events_of_the_real_data(movielens: Dataset) -> None:
    events = movielens.events
    pd.testing.assert_frame_equal(validate_events(events), events)
    assert events["timestamp"].min() == pd.Timestamp("1996-03-29 18:36:55", tz="UTC")
    assert events["timestamp"].max() == pd.Timestamp("2018-09-24 14:27:30", tz="UTC")
    rated = events["event"] == "rate"
    assert sorted(set(events.loc[rated, "value"])) == [n / 2 for n in range(1, 11)]
    assert (events.loc[rated, "text"] == "").all()
    assert (events.loc[~rated, "text"] != "").all()
    assert events.loc[~rated, "value"].isna().all()
    first = events[(events["user_id"] == 1) & (events["item_id"] == 1)].iloc[0]
    assert (first["value"], first["timestamp"].timestamp()) == (4.0, 964982703)


def test_items_of_the_real_data(movielens: Dataset) -> None:
    items = movielens.items.set_index("item_id")
    pd.testing.assert_frame_equal(validate_items(movielens.items), movielens.items)
    assert items.index.is_monotonic_increasing
    assert set(movielens.events["item_id"]) <= set(items.index)
    assert items.loc[2571, "title"] == "The Matrix (1999)"
    assert items.loc[1, "tags"] == "adventure, animation, children, comedy, fantasy"
    assert set(items["category"]) == {"film"}
    assert not items["title"].str.contains(r"^[^(]*, (?:The|An|A)(?: \(|$)|^\s|\s$|  ").any()
    assert (items["tags"] == "").sum() == 34
    assert not items["tags"].str.contains("no genres").any()


def test_the_real_zip_through_a_server_with_other_line_ends(
    movielens: Dataset,
    site: Callable[[str, bytes], str],
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = Path(os.environ.get("RECSYS_INTEREST_DATA", "")) / SPEC.folder
    if not (folder / "ratings.csv.gz").is_file():
        pytest.skip("needs the files in RECSYS_INTEREST_DATA")
    monkeypatch.delenv("RECSYS_INTEREST_DATA")
    plain = {t.file: gzip.decompress((folder / f"{t.file}.gz").read_bytes()) for t in SPEC.tables}
    lines = {name: text.decode().replace("\n", "\r\n") for name, text in plain.items()}
    url = site("good.zip", zip_bytes(lines))
    spec = dataclasses.replace(SPEC, urls=(url,))
    again = load(spec, cache)
    pd.testing.assert_frame_equal(again.events, movielens.events)
    pd.testing.assert_frame_equal(again.items, movielens.items)

    lines["ratings.csv"] = lines["ratings.csv"].replace("1,1,4.0,", "1,1,4.5,", 1)
    spec = dataclasses.replace(SPEC, urls=(site("bad.zip", zip_bytes(lines)),))
    expected = rf"fingerprint [0-9a-f]{{32}}, expected 100,836 with {SPEC.tables[0].fingerprint}"
    with pytest.raises(DownloadError, match=expected):
        load(spec, cache.with_name("other"))


# The way there, on the data in small ----------------------------------------------------------


def test_a_zip_becomes_events_and_items(
    site: Callable[[str, bytes], str], cache: Path, no_shared_data: None
) -> None:
    data = load(small_spec(site("a.zip", zip_bytes(FILES))), cache)
    rows = data.events.drop(columns="timestamp").fillna(-1).to_numpy().tolist()
    assert rows == [
        [1, 20, "comment", -1, "null"],
        [1, 20, "rate", 0.5, ""],
        [2, 10, "comment", -1, 'so, so "good"'],
        [1, 10, "rate", 5.0, ""],
        [2, 10, "rate", 4.5, ""],
    ]
    assert data.events["timestamp"].dt.second.tolist() == [50, 50, 30, 40, 40]
    assert data.items["item_id"].tolist() == [10, 20, 30]
    assert data.items["title"].tolist() == ["NA (2001)", "The Matrix (1999)", "Misérables (1998)"]
    assert data.items["tags"].tolist() == ["", "action, sci-fi", "drama"]


@pytest.mark.parametrize("folder", ["", "ml-latest-small/", "../../evil/", "/deep/er/"])
def test_nothing_is_unpacked(
    site: Callable[[str, bytes], str],
    cache: Path,
    tmp_path: Path,
    no_shared_data: None,
    folder: str,
) -> None:
    before = set(tmp_path.parent.rglob("*.csv"))
    load(small_spec(site("a.zip", zip_bytes(FILES, folder))), cache)
    assert set(tmp_path.parent.rglob("*.csv")) == before
    assert [p.name for p in cache.iterdir()] == ["ml_latest_small.zip"]


def reordered(text: str) -> str:
    head, *rows = text.splitlines(keepends=True)
    return "".join([head, *reversed(rows)])


@pytest.mark.parametrize("change", [reordered, lambda text: text.replace("\n", "\r\n")])
def test_row_order_and_line_ends_do_not_matter(
    site: Callable[[str, bytes], str],
    cache: Path,
    no_shared_data: None,
    change: Callable[[str], str],
) -> None:
    plain = load(small_spec(site("a.zip", zip_bytes(FILES))), cache)
    files = {name: change(text) for name, text in FILES.items()}
    other = load(small_spec(site("b.zip", zip_bytes(files))), cache.with_name("b"))
    pd.testing.assert_frame_equal(plain.events, other.events)
    pd.testing.assert_frame_equal(plain.items, other.items)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("ratings.csv", "4.5", "4.0"),
        ("ratings.csv", "2,10,4.5,100\n", ""),
        ("ratings.csv", "2,10,4.5,100\n", "1,10,5.0,100\n"),
        ("tags.csv", "null", "nul"),
        ("movies.csv", "é", "e"),
    ],
)
def test_one_changed_value_is_an_error_with_both_fingerprints(
    site: Callable[[str, bytes], str],
    cache: Path,
    no_shared_data: None,
    file: str,
    old: str,
    new: str,
) -> None:
    changed = {**FILES, file: FILES[file].replace(old, new, 1)}
    spec = small_spec(site("a.zip", zip_bytes(changed)))
    wanted = next(t for t in spec.tables if t.file == file)
    with pytest.raises(DownloadError) as caught:
        load(spec, cache)
    message = " ".join(str(caught.value).split())
    assert f"{file} of movielens-small has another content: " in message
    assert f", expected {wanted.rows} with {wanted.fingerprint}; replace it" in message
    found = message.split("with fingerprint ")[1][:32]
    assert found != wanted.fingerprint
    assert list(cache.iterdir()) == []


def without_movies(files: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in files.items() if name != "movies.csv"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (zip_bytes(FILES)[:-40], r"ratings.csv cannot be read \(File is not a zip file\)"),
        (b"<html>Sign in to this network</html>", r"File is not a zip file"),
        (zip_bytes(without_movies(FILES)), r"movies.csv cannot be read \(the zip file must hold"),
        (
            zip_bytes({**FILES, "old/tags.csv": FILES["tags.csv"]}),
            r"must hold it once, it holds .*'ml-latest-small/old/tags.csv'",
        ),
        (
            zip_bytes({**FILES, "tags.csv": FILES["tags.csv"].replace("tag,", "word,")}),
            r"tags.csv cannot be read \(Usecols do not match columns.*'tag'",
        ),
        (
            zip_bytes({**FILES, "ratings.csv": FILES["ratings.csv"].replace("4.5", "good")}),
            r"ratings.csv cannot be read \(could not convert string to float",
        ),
    ],
    ids=["truncated", "web page", "missing member", "member twice", "column", "not a number"],
)
def test_a_bad_zip_sends_on_to_the_mirror(
    site: Callable[[str, bytes], str],
    cache: Path,
    no_shared_data: None,
    content: bytes,
    reason: str,
) -> None:
    bad, good = site("bad.zip", content), site("good.zip", zip_bytes(FILES))
    assert len(load(small_spec(bad, good), cache).events) == 5
    with pytest.raises(DownloadError, match=rf"(?s)wrong content: .*{reason}"):
        load(small_spec(bad), cache.with_name("other"))


def test_not_found_sends_on_to_the_mirror(
    site: Callable[[str, bytes], str], cache: Path, no_shared_data: None
) -> None:
    urls = site("gone.zip", b""), site("good.zip", zip_bytes(FILES))
    assert len(load(small_spec(*urls), cache).events) == 5


def test_the_second_time_needs_no_network(
    site: Callable[[str, bytes], str],
    cache: Path,
    no_shared_data: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = small_spec(site("a.zip", zip_bytes(FILES)))
    first = load(spec, cache)
    monkeypatch.setattr(dataset_files, "fetch", None)  # calling it would be an error
    second = load(spec, cache)
    pd.testing.assert_frame_equal(first.events, second.events)


def test_a_spoiled_cache_is_replaced(
    site: Callable[[str, bytes], str],
    cache: Path,
    no_shared_data: None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    spec = small_spec(site("a.zip", zip_bytes(FILES)))
    cache.mkdir()
    (cache / "ml_latest_small.zip").write_bytes(b"half")
    with pytest.raises(FileNotFoundError, match=r"cache: .*ratings.csv cannot be read"):
        load(spec, cache, download=False)
    assert len(load(spec, cache).events) == 5
    assert "the cached file cannot be used" in caplog.text
    assert len(load(spec, cache, download=False).events) == 5


def test_the_licence_is_shown_before_a_download(
    site: Callable[[str, bytes], str],
    cache: Path,
    no_shared_data: None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, logger="recsys_interest.dataset_files"):
        load(small_spec(site("a.zip", zip_bytes(FILES))), cache)
    assert "downloading movielens-small; its licence: GroupLens: research use" in caplog.text


def test_the_shared_folder_comes_first(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECSYS_INTEREST_DATA", str(tmp_path))
    folder = tmp_path / SPEC.folder
    folder.mkdir()
    for name, text in FILES.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
    spec = small_spec("http://127.0.0.1:1/never.zip")
    packed = load(spec, cache)
    (folder / "tags.csv.gz").unlink()
    (folder / "tags.csv").write_text(FILES["tags.csv"])
    pd.testing.assert_frame_equal(load(spec, cache).events, packed.events)
    assert not cache.exists()
    (folder / "movies.csv.gz").write_bytes(gzip.compress(FILES["movies.csv"].encode())[:-9])
    with pytest.raises(ValueError, match=r"movies.csv cannot be read \(.*end-of-stream"):
        load(spec, cache)
    (folder / "ratings.csv.gz").write_bytes(gzip.compress(FILES["tags.csv"].encode()))
    with pytest.raises(ValueError, match=r"ratings.csv cannot be read \(Usecols do not match"):
        load(spec, cache)


def test_found_nowhere_lists_every_place_and_the_fix(
    site: Callable[[str, bytes], str],
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RECSYS_INTEREST_DATA", str(tmp_path / "nothing"))
    gone = site("gone.zip", b""), site("lost.zip", b"")
    with pytest.raises(DownloadError) as caught:
        load(small_spec(*gone), cache)
    message = str(caught.value)
    assert f"- RECSYS_INTEREST_DATA: there is no folder {tmp_path / 'nothing'}" in message
    assert f"- cache: there is no file {cache / 'ml_latest_small.zip'}" in message
    for url in gone:
        assert f"{url}\n      HTTP 404" in message
    assert "ml_latest_small/ with ratings.csv.gz, tags.csv.gz, movies.csv.gz" in message


def test_no_download_uses_no_network(
    cache: Path, no_shared_data: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset_files, "fetch", None)
    with pytest.raises(FileNotFoundError, match="RECSYS_INTEREST_DATA: not set") as caught:
        load_dataset("movielens-small", cache_dir=cache, download=False)
    assert "- web: not asked, because download=False" in str(caught.value)
    assert not cache.exists()


def test_the_cache_folder(
    cache: Path, no_shared_data: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert dataset_files.cache_folder(cache) == cache
    monkeypatch.setenv("RECSYS_INTEREST_CACHE", str(cache / "named"))
    assert dataset_files.cache_folder(None) == cache / "named"
    monkeypatch.delenv("RECSYS_INTEREST_CACHE")
    assert dataset_files.cache_folder(None).name == "recsys_interest"


def test_list_datasets(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def available() -> list[str]:
        places = list_datasets().set_index("name")["available"]
        return places[["interest-log", "movielens-small", "goodbooks"]].tolist()

    monkeypatch.setenv("RECSYS_INTEREST_DATA", str(tmp_path))
    monkeypatch.setenv("RECSYS_INTEREST_CACHE", str(cache))
    assert available() == ["generated", "download", "nowhere"]
    cache.mkdir()
    (cache / "ml_latest_small.zip").touch()
    assert available() == ["generated", "cache", "nowhere"]
    (tmp_path / SPEC.folder).mkdir()
    (tmp_path / "goodbooks_10k").mkdir()
    assert available() == ["generated", "shared folder", "shared folder"]
    columns = ["name", "domain", "events", "users", "items", "timed", "licence", "available"]
    assert list_datasets().columns.tolist() == columns


def test_the_list_tells_the_real_counts(movielens: Dataset) -> None:
    rows = list_datasets().set_index("name")
    for data in (make_interest_log(), movielens):
        counts = (len(data.events), data.events["user_id"].nunique(), len(data.items))
        assert tuple(rows.loc[data.name, ["events", "users", "items"]]) == counts
        assert rows.loc[data.name, "licence"] == data.licence


def test_the_generated_log_by_name() -> None:
    pd.testing.assert_frame_equal(load_dataset("interest-log").events, make_interest_log().events)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("movielens-smal", ValueError, "did you mean 'movielens-small'"),
        ("", ValueError, r"no data set is called ''. There are 'interest-log', 'movielens-small'"),
        (None, TypeError, "name must be text, got NoneType"),
    ],
)
def test_odd_names(name: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        load_dataset(name)


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Matrix, The (1999)", "The Matrix (1999)"),
        ("American in Paris, An (1951)", "An American in Paris (1951)"),
        ("Bug's Life, A (1998)", "A Bug's Life (1998)"),
        ("Good, the Bad and the Ugly, The (Buono, Il) (1966)",
         "The Good, the Bad and the Ugly (Buono, Il) (1966)"),
        ("Man Escaped, A (Un  condamné) (1956)", "A Man Escaped (Un condamné) (1956)"),
        ("Blind Side, The  (2009)", "The Blind Side (2009)"),
        ("OA, The", "The OA"),
        # Nothing to move: no article, an article in the middle, or one inside the brackets.
        ("Cry, the Beloved Country (1995)", "Cry, the Beloved Country (1995)"),
        ("Now, Voyager (1942)", "Now, Voyager (1942)"),
        ("Paris, Texas (1984)", "Paris, Texas (1984)"),
        ("Strike! (a.k.a. All I Wanna Do, The Hairy Bird) (1998)",
         "Strike! (a.k.a. All I Wanna Do, The Hairy Bird) (1998)"),
        ("Boot, Das (Boat, The) (1981)", "Boot, Das (Boat, The) (1981)"),
        ("(500) Days of Summer (2009)", "(500) Days of Summer (2009)"),
        ("The Matrix (1999)", "The Matrix (1999)"),
        ("", ""),
    ],
)  # fmt: skip
def test_film_titles(title: str, expected: str) -> None:
    assert film_title(title) == expected
