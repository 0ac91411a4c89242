"""Reads a user's own proxy configuration, has the proxy itself check what the run would have of it, and records it."""

from __future__ import annotations

import glob
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.core.errors import UsageError
from harness.core.keeping import temporary_folder
from harness.core.model import Cell, Json
from harness.core.ports import find_free_port
from harness.core.subprocesses import run
from harness.provision import tools
from harness.records.store import RunFolder
from harness.stack.own_proxies import ADAPTERS, Adapter, guess_proxy
from harness.stack.own_proxies.changes import Adapted, refusal
from harness.stack.proxies import PROXIES
from harness.stack.proxies.setting import Setting

DIFF = "proxy-config.diff"
"""The file of the record that shows what the run changed."""

LARGEST_BYTES = 1_000_000
PATIENCE_S = 30.0


def name_proxy(path: str) -> str | None:
    """Whose configuration the file is, as far as it can be told.

    Raises:
        UsageError: there is no such file.
    """
    return guess_proxy(Path(path).name, _read_text(Path(path)))


def check_own_proxy(cell: Cell, environ: Callable[[Path], dict[str, str]]) -> None:
    """Find out before the run whether the user's configuration can be honoured; ``environ``: HOME -> the variables.

    Raises:
        UsageError: it can't.
        SurroundingsError: the proxy is missing.
    """
    if cell.proxy_config is None:
        return
    module, adapter = PROXIES[cell.proxy], ADAPTERS[cell.proxy]
    if module is None:
        return
    tool = tools.require_tool(module.RECIPE, f"--proxy {cell.proxy}")
    with temporary_folder("proxy configuration") as place:
        upstream = f"unix:{place}/gunicorn.sock" if cell.bind == "unix" else f"127.0.0.1:{find_free_port()}"
        setting = Setting(port=find_free_port(), upstream=upstream, folder=str(place), connections=cell.connections)
        variables = environ(place) | dict(tool.env)
        adapted = adapt_own(cell, tool, setting, variables)
        config = place / adapter.CONFIG
        config.write_text(adapted.text, encoding="utf-8")
        done = run(
            adapter.render_check(str(tool.path), str(config)), cwd=place, environ=variables, timeout_s=PATIENCE_S
        )
    if done.status != 0:
        said = _last_line(done.stderr or done.stdout).replace(f"{place}/", "")
        raise refusal(f"{cell.proxy} itself refuses it: {said}", "Repair the file; what it names has to be here.")


def adapt_own(cell: Cell, tool: tools.Tool, setting: Setting, environ: dict[str, str]) -> Adapted:
    """The user's configuration as this run has it.

    Raises:
        UsageError: it can't be honoured.
    """
    path, adapter = Path(str(cell.proxy_config)), ADAPTERS[cell.proxy]
    text = _read_text(path)
    reading = adapter.render_reading(str(tool.path), str(path.resolve()))
    if reading is not None:
        done = run(reading, cwd=path.resolve().parent, environ=environ, timeout_s=PATIENCE_S)
        if done.status != 0:
            raise refusal(f"{cell.proxy} itself can't read {path.name}: {_last_line(done.stderr)}", "Repair the file.")
        text = done.stdout
    return adapter.adapt(text, path.name, setting, _reader(path.resolve().parent, adapter))


def name_config(cell: Cell) -> str:
    """The name of the run's configuration in its folder."""
    return ADAPTERS[cell.proxy].CONFIG


def record_own(folder: RunFolder, adapted: Adapted) -> dict[str, Json]:
    """Keep the difference in the record; what the facts say of it."""
    folder.write_text(f"config/{DIFF}", adapted.render_diff())
    rows: list[Json] = [
        {"place": one.place, "yours": one.yours, "run_with": one.run_with, "why": one.why} for one in adapted.changes
    ]
    return {"changes": rows}


def _reader(folder: Path, adapter: Adapter) -> Callable[[str], Sequence[tuple[str, str]]]:
    """Reads what is included: beside the user's file, else where the proxy's own package keeps such files."""

    def read(pattern: str) -> list[tuple[str, str]]:
        for base in (folder, Path(adapter.MAIN_FOLDER)):
            found = sorted(path for path in glob.glob(str(base / pattern)) if Path(path).is_file())  # noqa: PTH207
            if found:
                return [(Path(path).name, _read_text(Path(path))) for path in found]
        return []

    return read


def _read_text(path: Path) -> str:
    if not path.is_file():
        raise UsageError(what=f"--proxy-config {path}: there is no such file.", remedy="Name a file.")
    if path.stat().st_size > LARGEST_BYTES:
        raise refusal(f"{path} has more than {LARGEST_BYTES:,} bytes.", "Name a proxy's configuration.")
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as problem:
        raise UsageError(
            what=f"--proxy-config {path}: {problem.strerror}.", remedy="Name a file that you may read."
        ) from problem


def _last_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if "emerg" in line or "ALERT" in line or "rror" in line]
    return (telling or lines or ["it does not say why"])[0][:400]
