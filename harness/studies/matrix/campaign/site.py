"""The matrix's page as files: written into the matrix's folder, or with all it leads to into a folder of its own.

How the page looks is said by its template. Here it is looked up which records are there, and pages of runs
that were left out to save room are made again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from harness.core.errors import SurroundingsError, UsageError
from harness.records.store import RunFolder, load_run
from harness.report.as_html import render_html as render_run
from harness.studies.matrix.document import Matrix
from harness.studies.matrix.report.as_html import render_html as render_matrix

PAGE = "index.html"
RECORDS = "records"
REPORT = "report.html"
PLAINER = "report.md"
Say = Callable[[str], None]


def write_page(folder: Path, matrix: Matrix) -> Path:
    """Write the page into the matrix's folder as things are: a run without a page of its own is linked as Markdown.

    Raises:
        SurroundingsError: the folder can't be written to.
    """

    def find_page(record: str) -> str | None:
        lies = _inside(folder, record)
        return next((f"{record}/{name}" for name in (REPORT, PLAINER) if lies and (lies / name).is_file()), None)

    return RunFolder(path=folder).write_text(PAGE, render_matrix(matrix, find_page), shared=True)


def publish(matrix: Matrix, sources: Sequence[Path], target: Path, *, say: Say) -> Path:
    """Write the page into ``target`` with the page of every run; its path.

    ``sources`` are the folders that the records lie in. Where ``target`` is one of them, missing pages are made beside
    the records; anywhere else each lies in ``records/<run>/``, so that the folder can be moved or served on its own.
    What has no page is told through ``say``.

    Raises:
        SurroundingsError: a folder can't be written to.
    """
    at_home = target.resolve() in {source.resolve() for source in sources}
    pages: dict[str, str] = {}
    for record in dict.fromkeys(run.path for cell in matrix.cells for run in cell.runs if run.path is not None):
        lies = next((lies for source in sources if (lies := _inside(source, record))), None)
        if lies is None:
            say(f"{record}: its record is not here, so nothing leads to it.")
            continue
        name = record if at_home else f"{RECORDS}/{_free(lies.name, pages)}"
        if (at_home and (lies / REPORT).is_file()) or _put(_page_of(lies, record, say), target / name):
            pages[record] = f"{name}/{REPORT}"
    return RunFolder(path=target).write_text(PAGE, render_matrix(matrix, pages.get), shared=True)


def _inside(folder: Path, record: str) -> Path | None:
    """Where a record lies, None where it isn't there, or the path (which may be anybody's) leads out of the folder."""
    root = folder.resolve()
    try:
        lies = (root / record).resolve()
        return lies if lies != root and lies.is_relative_to(root) and lies.is_dir() else None
    except (OSError, ValueError, RuntimeError):  # a name that no file system takes, or links in a circle
        return None


def _page_of(lies: Path, record: str, say: Say) -> bytes | None:
    """The run's page as it is, else made again from the record; None, and it was told why, where neither can be."""
    kept = lies / REPORT
    try:
        if kept.is_file() and not kept.is_symlink():
            return kept.read_bytes()
        with load_run(lies) as stored:
            return render_run(stored).encode("utf-8", "backslashreplace")
    except UsageError as problem:
        say(f"{record}: no page of it could be made, so nothing leads to it: {problem.what}")
        return None
    except OSError as problem:
        say(f"{record}: {kept} can't be read ({problem.strerror}), so nothing leads to it.")
        return None


def _free(name: str, pages: dict[str, str]) -> str:
    """Two runs of different cells may have one name: the second gets a number."""
    taken = {page.split("/")[1] for page in pages.values()}
    wanted = (name, *(f"{name}-{number}" for number in range(2, len(taken) + 3)))
    return next(one for one in wanted if one not in taken)


def _put(content: bytes | None, folder: Path) -> bool:
    """Write a run's page; False where there is none."""
    if content is None:
        return False
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise SurroundingsError(
            what=f"{folder} could not be made: {problem.strerror}.", remedy="Name a folder that you may write to."
        ) from problem
    RunFolder(path=folder).write_bytes(REPORT, content, shared=True)
    return True
