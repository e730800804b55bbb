"""Build the book: execute the chapters that changed, stage the sources, render the pages.

    python book/build.py             execute what changed, then render
    python book/build.py --stored    render the outputs stored in notebooks/, execute nothing
    python book/build.py --refresh   execute every chapter and store the outputs in notebooks/
    python book/build.py --refresh 03 05   the same for these chapters, and render nothing

papermill executes and Jupyter Book only renders: its own execution leaves a failing cell at exit 0,
and its cache keeps old outputs when only the package changed.
"""

from __future__ import annotations

import argparse
import base64
import copy
import hashlib
import io
import json
import multiprocessing
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import nbformat
from catalogues import ENGLISH, Language, page_catalogues, translations
from cross_links import (
    Term,
    chapter_with_links,
    error_entries,
    homes,
    page_with_links,
    read_glossary,
)
from row_coverage import collect, coverage_page

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
PROBE_SECONDS = 180
CELL_SECONDS = 900

PROBE = """
import json, sys
from recsys_interest import load_dataset

try:
    load_dataset(sys.argv[1])
except OSError as error:
    print(json.dumps({"missing": str(error)}))
else:
    print(json.dumps({"missing": None}))
"""

CONFIGURE = "from jupyter_book.cli.main import main; main()"


class BuildError(Exception):
    """The book cannot be built; the message says which part and why."""


@dataclass(frozen=True)
class Execution:
    """What became of one chapter: how long it took, and the failure if there was one."""

    chapter: str
    seconds: float
    failure: str | None = None


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the book and return the exit code."""
    options = _options(arguments)
    out = options.out.resolve()
    try:
        chapters = sorted(NOTEBOOKS.glob("*.ipynb"))
        for chapter in chapters:
            _check_parameters(chapter)
        if options.refresh is not None:
            _refresh(_named(chapters, options.refresh), out)
            if options.refresh:  # only these were asked for: nothing is rendered
                return 0
        staged = _stored(chapters) if options.stored else _executed(chapters, out)
        stage(staged, out)
        render(out)
    except BuildError as error:
        print(f"\nThe book was not built. {error}", file=sys.stderr)
        return 1
    print(os.path.relpath(out / "html" / "index.html", Path.cwd()))
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Build the book.")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--stored", action="store_true", help="render the stored outputs")
    mode.add_argument(
        "--refresh",
        nargs="*",
        metavar="CHAPTER",
        help="execute all chapters, or those whose names begin so, and store the outputs",
    )
    parser.add_argument("--out", type=Path, default=ROOT / "_build", help="folder for the results")
    return parser.parse_args(arguments)


# Chapters: what they need, and whether they must be executed


def _named(chapters: Sequence[Path], beginnings: Sequence[str]) -> list[Path]:
    """Return the chapters whose names begin with one of the `beginnings`; all if there is none."""
    unknown = [b for b in beginnings if not any(c.name.startswith(b) for c in chapters)]
    if unknown:
        raise BuildError(f"No chapter begins with {unknown}; there is {[c.stem for c in chapters]}")
    return [c for c in chapters if not beginnings or c.name.startswith(tuple(beginnings))]


def _check_parameters(chapter: Path) -> None:
    cells = nbformat.read(chapter, as_version=4).cells
    if not any("parameters" in cell.metadata.get("tags", []) for cell in cells):
        raise BuildError(f"{chapter.name} has no cell tagged `parameters`")


def _check_names(chapter: Path, parameters: Mapping[str, object]) -> None:
    from papermill import inspect_notebook

    # papermill only warns, and then computes with the default.
    known = inspect_notebook(str(chapter))
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise BuildError(f"{chapter.name} has no parameter {unknown}; it has {sorted(known)}")


def _datasets(chapter: Path) -> list[str]:
    declared = nbformat.read(chapter, as_version=4).metadata.get("recsys_interest", {})
    return list(declared.get("datasets", []))


def unreachable(names: Iterable[str]) -> dict[str, str]:
    """Return the data sets that cannot be loaded here, each with the reason."""
    missing = {}
    for name in sorted(set(names)):
        reason = _probe(name)
        if reason is not None:
            missing[name] = reason
    return missing


def _probe(name: str) -> str | None:
    # In a process of its own: it imports pandas, and a stalled download must end.
    command = [sys.executable, "-c", PROBE, name]
    try:
        run = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=PROBE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {PROBE_SECONDS} seconds"
    if run.returncode:
        raise BuildError(f"load_dataset({name!r}) failed:\n{run.stderr}")
    reason = json.loads(run.stdout.splitlines()[-1])["missing"]
    return None if reason is None else str(reason)


def digest(chapter: Path, missing: Iterable[str]) -> str:
    """Return what the outputs of a chapter depend on, as one fingerprint."""
    parts = hashlib.sha256(platform.python_version().encode())
    notebook = portable(nbformat.read(chapter, as_version=4))
    names = notebook.metadata.get("recsys_interest", {})
    cells = [(c.cell_type, c.source, c.metadata) for c in notebook.cells]
    parts.update(json.dumps([names, cells, sorted(missing)], sort_keys=True).encode())
    package = sorted((ROOT / "recsys_interest").rglob("*"))
    sources = [p for p in package if p.is_file() and "__pycache__" not in p.parts]
    for source in [ROOT / "constraints.txt", *sources]:
        parts.update(f"\0{source.relative_to(ROOT)}\0".encode())
        parts.update(source.read_bytes())
    return parts.hexdigest()


# Executing


def _executed(chapters: Sequence[Path], out: Path) -> dict[str, nbformat.NotebookNode]:
    """Return every chapter as it is to be rendered, executing those that changed."""
    missing = unreachable(name for chapter in chapters for name in _datasets(chapter))
    ready = [c for c in chapters if not set(_datasets(c)) & set(missing)]
    marks = {c: digest(c, missing) for c in ready}
    changed = [c for c in ready if _mark(c, out) != marks[c]]
    _execute_all(changed, out, marks)
    staged = {}
    for chapter in chapters:
        if chapter in ready:
            staged[chapter.name] = nbformat.read(out / "executed" / chapter.name, as_version=4)
        else:
            why = {name: missing[name] for name in _datasets(chapter) if name in missing}
            print(f"{chapter.name}: stored outputs, because {_sentence(why)}")
            staged[chapter.name] = _with_note(nbformat.read(chapter, as_version=4), why)
    return staged


def _refresh(chapters: Sequence[Path], out: Path) -> None:
    missing = unreachable(name for chapter in chapters for name in _datasets(chapter))
    if missing:
        raise BuildError(f"Storing outputs needs all data: {_sentence(missing)}")
    _execute_all(chapters, out, {c: digest(c, missing) for c in chapters})
    for chapter in chapters:
        _write(nbformat.read(out / "executed" / chapter.name, as_version=4), chapter)


def _stored(chapters: Sequence[Path]) -> dict[str, nbformat.NotebookNode]:
    return {chapter.name: nbformat.read(chapter, as_version=4) for chapter in chapters}


def _mark(chapter: Path, out: Path) -> str | None:
    mark = out / "executed" / f"{chapter.stem}.digest"
    kept = mark.exists() and (out / "executed" / chapter.name).exists()
    return mark.read_text() if kept else None


def _execute_all(chapters: Sequence[Path], out: Path, marks: dict[Path, str]) -> None:
    """Execute the chapters, two side by side, and keep the good ones under `out/executed`."""
    if not chapters:
        return
    folder = out / "executed"
    folder.mkdir(parents=True, exist_ok=True)
    workers = min(2, len(chapters))
    # The threads of two kernels together must not exceed the cores.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    failures = []
    # papermill changes the working directory of its process, so each chapter has one.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        for done in pool.map(execute, chapters, [folder] * len(chapters)):
            print(f"{done.chapter}: {'FAILED after' if done.failure else 'executed in'} ", end="")
            print(f"{done.seconds:.0f} s", flush=True)
            if done.failure:
                failures.append(done.failure)
            else:
                mark = folder / f"{Path(done.chapter).stem}.digest"
                mark.write_text(marks[NOTEBOOKS / done.chapter])
    if failures:
        raise BuildError("\n\n".join(failures))


def execute(
    chapter: Path, folder: Path, parameters: Mapping[str, object] | None = None
) -> Execution:
    """Execute one chapter with papermill into `folder`; report a failing cell, do not raise it.

    Notes
    -----
    Rows: L04.
    """
    import papermill

    start = time.monotonic()
    (folder / f"{chapter.stem}.digest").unlink(missing_ok=True)
    failure = None
    try:
        _check_names(chapter, parameters or {})
        notebook = papermill.execute_notebook(
            str(chapter),
            None,
            dict(parameters or {}),
            cwd=str(chapter.parent),
            kernel_name=KERNEL["name"],
            progress_bar=False,
            execution_timeout=CELL_SECONDS,
            extra_arguments=["--log-level=ERROR"],  # not one warning about TCP for every kernel
        )
        _write(notebook, folder / chapter.name)
    except BuildError as error:
        failure = str(error)
    except papermill.PapermillExecutionError as error:
        failure = f"{chapter.name}, cell {error.cell_index + 1} failed:\n{error}"
    except Exception as error:  # a dead kernel, a timeout: name the chapter, then fail
        failure = f"{chapter.name} failed: {type(error).__name__}: {error}"
    return Execution(chapter.name, time.monotonic() - start, failure)


def _write(notebook: nbformat.NotebookNode, path: Path) -> None:
    text = nbformat.writes(portable(notebook)) + "\n"
    partial = path.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def portable(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return the notebook without what only this run and this machine knew."""
    kept = copy.deepcopy(notebook)
    declared = {k: v for k, v in kept.metadata.items() if k == "recsys_interest"}
    # papermill refuses a notebook without kernel and language.
    kept.metadata = nbformat.from_dict(
        {**declared, "kernelspec": KERNEL, "language_info": {"name": "python"}}
    )
    for cell in kept.cells:
        for key in ("papermill", "execution", "collapsed", "scrolled"):
            cell.metadata.pop(key, None)
        if cell.metadata.get("tags") == []:
            del cell.metadata["tags"]
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = _with_palette(output.data["image/png"])
    return kept


def _with_palette(png: str) -> str:
    """Return the picture with at most 256 colours: a third of the size, and the eye sees no loss.

    Stored outputs stay in the history of the repository for ever.
    """
    from PIL import Image

    picture = Image.open(io.BytesIO(base64.b64decode(png)))
    if picture.mode == "P":
        return png
    white = Image.new("RGBA", picture.size, "white")
    flat = Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB")
    smaller = io.BytesIO()
    flat.quantize(256, dither=Image.Dither.NONE).save(smaller, "PNG", optimize=True)
    return base64.b64encode(smaller.getvalue()).decode("ascii")


# Staging


def _sentence(missing: dict[str, str]) -> str:
    return "; ".join(f"the data set {k} is out of reach ({why})" for k, why in missing.items())


def _with_note(notebook: nbformat.NotebookNode, missing: dict[str, str]) -> nbformat.NotebookNode:
    """Say under the title that the outputs are stored ones, and why."""
    names = ", ".join(f"`{name}`" for name in missing)
    text = (
        f":::{{note}}\nThe outputs on this page are stored ones from an earlier run. The page was "
        f"built where this data could not be reached: {names}.\n:::"
    )
    cell = next((c for c in notebook.cells if c.cell_type == "markdown"), None)
    if cell is None:
        raise BuildError("a chapter needs a title: a Markdown cell that starts with `# `")
    title, _, rest = cell.source.partition("\n")
    cell.source = f"{title}\n\n{text}\n{rest}"
    return notebook


def stage(chapters: dict[str, nbformat.NotebookNode], out: Path) -> None:
    """Lay the book's sources under `out/src`, touching only what changed.

    Sphinx reads a page again when its file is newer than the last reading.
    """
    glossary = ROOT / "book" / "glossary.md"
    terms = read_glossary(glossary.read_text("utf-8")) if glossary.exists() else []
    wanted = sources(chapters, terms)
    source = out / "src"
    _forget_pages(source, wanted, out)
    _lay_catalogues(page_texts(wanted), out)
    changed = [
        relative for relative, content in wanted.items() if _laid(source / relative, content)
    ]
    if any("_static" in path.parts for path in changed):
        # Sphinx copies style sheets only when it writes pages, so it has to write them all.
        shutil.rmtree(out / "doctrees", ignore_errors=True)
    if any(path.suffix == ".ipynb" for path in changed):
        # A page that pastes a chapter's numbers does not know that they changed.
        for path in (p for p, content in wanted.items() if b".ipynb::" in content):
            (source / path).touch()


def sources(
    chapters: Mapping[str, nbformat.NotebookNode], terms: Sequence[Term]
) -> dict[Path, bytes]:
    """Return the files from which Sphinx makes the book, with links to errors and to terms."""
    wanted = {Path(name): (ROOT / name).read_bytes() for name in ("_config.yml", "_toc.yml")}
    entries = error_entries(chapters.values())
    stub = ROOT / "recsys_interest" / "__init__.pyi"
    modules = homes(stub.read_text("utf-8")) if stub.exists() else {}
    for path in sorted((ROOT / "book").rglob("*")):
        if path.is_file() and path.suffix not in {".py", ".pyc", ".po"}:
            content = path.read_bytes()
            if path.name == "coverage.md":
                content = coverage_page(collect(ROOT)).encode()
            if path.suffix == ".md":
                content = page_with_links(content.decode(), entries, terms, modules).encode()
            wanted[path.relative_to(ROOT)] = content
    for name, notebook in chapters.items():
        page = chapter_with_links(notebook, Path(name).stem, entries, terms)
        wanted[Path("notebooks") / name] = nbformat.writes(page).encode()
        wanted |= _figures(notebook)
    return wanted


def page_texts(files: Mapping[Path, bytes]) -> dict[str, str]:
    """Return the text of each page; of a chapter, the text around its code."""
    texts = {}
    for path, content in files.items():
        page = path.with_suffix("").as_posix()
        if path.suffix == ".md":
            texts[page] = content.decode()
        elif path.suffix == ".ipynb":
            cells = nbformat.reads(content.decode(), as_version=4).cells
            texts[page] = "\n\n".join(c.source for c in cells if c.cell_type == "markdown")
    return texts


def _lay_catalogues(pages: Mapping[str, str], out: Path) -> None:
    """Lay the catalogues under `out/locale`; Sphinx reads a page again when its own is newer."""
    folder = out / "locale"
    files: dict[Path, bytes] = {}
    for language in translations():
        files |= page_catalogues(language, pages)
    for path in [p for p in folder.rglob("*.po") if p.relative_to(folder) not in files]:
        path.unlink()
        path.with_suffix(".mo").unlink(missing_ok=True)
    for relative, content in files.items():
        _laid(folder / relative, content)


def _laid(target: Path, content: bytes) -> bool:
    """Write the file if its content is new, and say whether it was."""
    if target.exists() and target.read_bytes() == content:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return True


def _figures(notebook: nbformat.NotebookNode) -> dict[Path, bytes]:
    """Return the named figures of a chapter as files, for the pages that show them too."""
    figures = {}
    for cell in notebook.cells:
        name = cell.metadata.get("mystnb", {}).get("figure", {}).get("name")
        images = [
            o.data["image/png"] for o in cell.get("outputs", []) if "image/png" in o.get("data", {})
        ]
        if name and images:
            figures[Path("book") / "_figures" / f"{name}.png"] = base64.b64decode(images[-1])
    return figures


def _forget_pages(source: Path, wanted: dict[Path, bytes], out: Path) -> None:
    # Sphinx leaves the page of a removed source in place, so a link to it would still work.
    there = [p for p in source.rglob("*") if p.is_file() and p.name != "conf.py"]
    gone = [p for p in there if p.relative_to(source) not in wanted]
    for path in gone:
        path.unlink()
    if gone:
        shutil.rmtree(out / "html", ignore_errors=True)
        shutil.rmtree(out / "doctrees", ignore_errors=True)


# Rendering


def render(out: Path) -> None:
    """Render `out/src` to `out/html`, in each language; any warning is an error.

    Jupyter Book writes the Sphinx configuration and Sphinx renders, so that the exit code is
    Sphinx's own.
    """
    configure(out / "src")
    languages = (ENGLISH, *translations())
    try:
        with ThreadPoolExecutor() as pool:  # Sphinx has processes of its own
            list(pool.map(run_python, [_sphinx(language, out) for language in languages]))
    except BuildError:
        # Sphinx keeps the pages that warned and would not read them again: the next build would
        # pass without a word.
        shutil.rmtree(out / "doctrees", ignore_errors=True)
        raise
    first = _first_page()
    for language in languages:
        (out / "html" / language.folder / "index.html").write_text(
            f'<!doctype html><html lang="{language.tag}"><meta charset="utf-8">'
            f"<title>The book</title>"
            f'<meta http-equiv="refresh" content="0; url={first}"><a href="{first}">The book</a>\n'
        )


def configure(source: Path) -> None:
    """Write the Sphinx configuration of a folder with sources if it is older than the settings."""
    settings = source / "conf.py"
    if not settings.exists() or settings.stat().st_mtime < (source / "_config.yml").stat().st_mtime:
        run_python(["-c", CONFIGURE, "config", "sphinx", str(source)])


def _sphinx(language: Language, out: Path) -> list[str]:
    """Return what Python is to run for the pages in one language."""
    flags = ["-W", "-n", "--keep-going", "-q", "-b", "html", "-d"]
    settings = {
        "language": language.code,
        "locale_dirs": os.path.join(os.pardir, "locale"),
        "html_search_language": ENGLISH.code,  # it finds Chinese words too
    }
    return [
        *("-m", "sphinx", *flags, str(out / "doctrees" / language.code)),
        *(part for key, value in settings.items() for part in ("-D", f"{key}={value}")),
        *(str(out / "src"), str(out / "html" / language.folder)),
    ]


def run_python(arguments: Sequence[str]) -> None:
    """Run Python with these arguments where the extensions of the book are found."""
    # The extensions of the book import the modules beside them.
    path = os.pathsep.join(filter(None, [str(ROOT / "book"), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path}
    run = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, check=False)
    if run.returncode:
        raise BuildError(f"Rendering ended with exit code {run.returncode}; the cause is above.")


def _first_page() -> str:
    root = re.search(r"^root: *(\S+)", (ROOT / "_toc.yml").read_text(), flags=re.MULTILINE)
    if root is None:
        raise BuildError("_toc.yml names no root")
    return f"{root.group(1)}.html"


if __name__ == "__main__":
    sys.exit(main())
