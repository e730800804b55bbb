"""The chapters: stored outputs are real, complete and still what the code computes."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from papermill import inspect_notebook

from .conftest import load_build, tiny_chapter
from .test_docs import MACHINE_PATH

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PARAMETERS = {"seed", "scale", "dataset"}


def expected_parameters(chapter: Path) -> set[str]:
    """Return what a chapter can be run with; an appendix has no data set and no size."""
    return {"seed"} if chapter.name.startswith("A") else PARAMETERS


build = load_build(ROOT)

each_chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def loaded_datasets(notebook: nbformat.NotebookNode) -> set[str]:
    """Return the names given to `load_dataset` or `load_tables`, or given by the parameter."""
    plain = TransformerManager().transform_cell
    trees = [ast.parse(plain(cell.source)) for cell in code_cells(notebook)]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    constants = {
        target.id: node.value.value
        for node in nodes
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    loads = re.compile(r"\bload_(dataset|tables)$")
    calls = [n for n in nodes if isinstance(n, ast.Call) and loads.search(ast.unparse(n.func))]
    given = [call.args[0] for call in calls]
    return {a.value if isinstance(a, ast.Constant) else constants[a.id] for a in given}


def run_nbval(notebook: Path) -> subprocess.CompletedProcess[str]:
    options = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=900", "--color=no"]
    # Without this repository's settings: they are about its own tests.
    settings = ["-c", os.devnull, f"--rootdir={notebook.parent}", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", *settings, *options, str(notebook)]
    return subprocess.run(command, cwd=notebook.parent, capture_output=True, text=True)


def need_data(chapter: Path) -> None:
    missing = build.unreachable(build._datasets(chapter))
    if missing:
        pytest.skip(f"needs data: {missing}")


# What is stored


@each_chapter
def test_every_code_cell_was_executed_in_order_without_error(chapter):
    cells = code_cells(read(chapter))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [o for o in outputs(read(chapter)) if o.output_type == "error"]


@each_chapter
def test_stored_notebooks_are_portable(chapter):
    notebook = read(chapter)
    assert notebook == build.portable(notebook), "store it with `make notebooks`"
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.metadata.language_info.name == "python"
    text = chapter.read_text(encoding="utf-8")
    assert not MACHINE_PATH.search(text)
    assert not re.search(r" at 0x[0-9a-f]{6,}", text), "the address of an object is stored"


@each_chapter
def test_stored_notebooks_are_quiet_and_small(chapter):
    assert not [o for o in outputs(read(chapter)) if o.get("name") == "stderr"]
    assert chapter.stat().st_size < 400_000


@each_chapter
def test_parameters_are_the_usual_ones(chapter):
    tagged = [c for c in read(chapter).cells if "parameters" in c.metadata.get("tags", [])]
    assert len(tagged) == 1
    assert set(inspect_notebook(str(chapter))) == expected_parameters(chapter)


@each_chapter
def test_declared_data_is_the_data_that_is_loaded(chapter):
    declared = read(chapter).metadata.recsys_interest.datasets
    assert sorted(declared) == sorted(loaded_datasets(read(chapter)))


@each_chapter
def test_chapters_encode_in_float32(chapter):
    # Only some processors have bfloat16, so its vectors would differ between machines.
    from recsys_interest import TextEncoder

    assert TextEncoder().dtype == "float32"
    other = re.compile(r"dtype *= *.(bf|auto)")
    assert not [cell for cell in code_cells(read(chapter)) if other.search(cell.source)]


@each_chapter
def test_no_package_function_is_written_again(chapter):
    import recsys_interest

    trees = [
        ast.parse(TransformerManager().transform_cell(c.source)) for c in code_cells(read(chapter))
    ]
    defined = {
        node.name
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
    }
    assert not defined & set(recsys_interest.__all__)


# What the code computes


@pytest.mark.rows("D14", "L04")
@each_chapter
def test_stored_outputs_are_what_the_code_computes(chapter):
    need_data(chapter)
    run = run_nbval(chapter)
    assert run.returncode == 0, run.stdout[-5000:]


@each_chapter
def test_chapters_run_with_other_parameters(chapter, tmp_path):
    need_data(chapter)
    small = dict(read(chapter).metadata.recsys_interest.small)
    assert small
    assert set(small) <= expected_parameters(chapter)
    done = execute(chapter, tmp_path, small)
    assert done.failure is None, done.failure
    injected = [
        cell
        for cell in read(tmp_path / chapter.name).cells
        if "injected-parameters" in cell.metadata.get("tags", [])
    ]
    assert len(injected) == 1


def execute(chapter: Path, folder: Path, parameters: dict[str, object] | None = None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # papermill's and the kernel client's, not the chapter's
        return build.execute(chapter, folder, parameters)


# The gates can fail: a tiny chapter shows it in seconds, and passes through the same ones.


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    figure = "import matplotlib.pyplot as plt\nplt.figure(figsize=(1, 1))\nplt.show()"
    (folder / "in").mkdir()
    source = tiny_chapter(folder / "in" / "tiny.ipynb", "print('two', 1 + 1)", figure, "seed + 1")
    assert execute(source, folder).failure is None
    return folder / "tiny.ipynb"


def changed(good: Path, folder: Path, cells: list[int], **changes: object) -> Path:
    notebook = read(good)
    for place in cells:
        code_cells(notebook)[place].update(changes)
    nbformat.write(notebook, folder / "changed.ipynb")
    return folder / "changed.ipynb"


def test_nbval_passes_what_was_executed(good):
    run = run_nbval(good)
    assert run.returncode == 0, run.stdout
    assert "4 passed" in run.stdout


def test_nbval_finds_an_altered_output(good, tmp_path):
    output = code_cells(read(good))[1].outputs[0]
    output.text = output.text.replace("2", "3")
    run = run_nbval(changed(good, tmp_path, [1], outputs=[output]))
    assert run.returncode == 1
    assert "1 failed, 3 passed" in run.stdout


def test_nbval_finds_removed_text_figures_and_values(good, tmp_path):
    run = run_nbval(changed(good, tmp_path, [1, 2, 3], outputs=[]))
    assert run.returncode == 1
    assert "3 failed, 1 passed" in run.stdout


def test_a_cell_that_never_ran_is_found(good, tmp_path):
    # nbval passes it: it has nothing to compare.
    never = changed(good, tmp_path, [1], outputs=[], execution_count=None)
    with pytest.raises(AssertionError):
        test_every_code_cell_was_executed_in_order_without_error(never)


def test_a_misspelt_parameter_is_refused(good, tmp_path):
    done = execute(good, tmp_path, {"sead": 1})
    assert "has no parameter ['sead']; it has ['dataset', 'scale', 'seed']" in done.failure
    assert not list(tmp_path.iterdir())


def test_parameters_reach_the_cells(good, tmp_path):
    assert execute(good, tmp_path, {"seed": 41}).failure is None
    assert read(tmp_path / "tiny.ipynb").cells[-1].outputs[0].data["text/plain"] == "42"


def test_a_failing_cell_is_named(tmp_path):
    (tmp_path / "in").mkdir()
    broken = tiny_chapter(tmp_path / "in" / "broken.ipynb", "print('fine')", "1 / 0")
    done = execute(broken, tmp_path)
    assert "broken.ipynb, cell 4 failed" in done.failure
    assert "ZeroDivisionError: division by zero" in done.failure
    assert not (tmp_path / "broken.ipynb").exists()


def test_the_kernel_is_this_python(tmp_path):
    (tmp_path / "in").mkdir()
    chapter = tiny_chapter(tmp_path / "in" / "kernel.ipynb", "import sys\nprint(sys.prefix)")
    assert execute(chapter, tmp_path).failure is None
    assert read(tmp_path / "kernel.ipynb").cells[-1].outputs[0].text.strip() == sys.prefix


def test_portable_removes_what_only_one_machine_knew(good):
    notebook = read(good)
    notebook.metadata["papermill"] = {"input_path": "somewhere"}
    notebook.metadata.language_info["version"] = "3.11.0"
    notebook.cells[1].metadata["execution"] = {"iopub.execute_input": "2026-01-01T00:00:00"}
    assert build.portable(notebook) == read(good)
    assert "somewhere" not in json.dumps(build.portable(notebook))


def test_the_digest_sees_code_package_and_data(good, tmp_path):
    before = build.digest(good, [])
    assert build.digest(changed(good, tmp_path, [1], outputs=[]), []) == before
    assert build.digest(changed(good, tmp_path, [1], source="print('three')"), []) != before
    assert build.digest(good, ["movielens-small"]) != before


@pytest.mark.parametrize(
    "call", ["load_dataset('a')", "ri.load_dataset(dataset)", "ri.load_tables('a')"]
)
def test_loaded_data_is_found(tmp_path, call):
    notebook = read(tiny_chapter(tmp_path / "x.ipynb", call))
    assert loaded_datasets(notebook) == {"a" if "'a'" in call else "interest-log"}
