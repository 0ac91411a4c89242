"""Gives gunicorn its user: where the harness is root, one that owns only its socket's folder, its HOME and its logs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from harness.backends import Backend, Command, Process
from harness.core.users import NoOtherUserError, root_after_all
from harness.engine.accounts import NOTES_FILE
from harness.engine.recording import Run
from harness.engine.request import RunRequest
from harness.engine.scratch import ScratchFolder
from harness.engine.servers import ACCESS_LOG, TRACE_FILE
from harness.provision.environments import Environment
from harness.provision.layer import list_folders
from harness.watch.watchers import APP_FAULTS_FILE

OF_USERS = ("user", "group")
"""The settings that name whom a worker turns into, which only root can."""


def give_user(
    command: Command, run: Run, scratch: ScratchFolder, environment: Environment, backend: Backend
) -> Command:
    """The command with its user, who gets what it needs of the run's folders; see ``records.store.RunFolder.lend``."""
    folder = run.folder
    written = list(_list_written(run, command))
    imports = [Path(name) for name in command.env.get("PYTHONPATH", "").split(os.pathsep) if name]

    def lend(uid: int) -> None:
        folder.lend(uid, written)
        for place in (scratch.socket.parent, scratch.home):
            os.chown(place, uid, uid)

    user = backend.choose_user(
        [command.cwd, *list_folders(environment.path), *imports, folder.config, folder.logs, scratch.base],
        environment.python,
        root_because=find_need_of_root(run.request),
        lend=lend,
    )
    return replace(command, user=user)


def start_as_user(command: Command, run: Run, backend: Backend) -> tuple[Command, Process]:
    """Start gunicorn as its user, or, where this system has none, as root; the command that it was started by."""
    try:
        process = backend.spawn(command)
    except NoOtherUserError as refusal:
        command = replace(command, user=root_after_all(refusal.what))
        process = backend.spawn(command)
    if command.user is not None and command.user.warning:
        run.notes.append(f"gunicorn runs as root: {command.user.why}.")
    return command, process


def find_need_of_root(request: RunRequest) -> str | None:
    """Why gunicorn is to stay root where the harness is; None where nothing speaks for it."""
    if request.as_root:
        return "--as-root was given"
    if request.cell.user is not None:
        return "--user names one for its workers"
    own = request.own.resolved if request.own is not None else None
    rows = own.rows if own is not None else ()
    named = [row.setting for row in rows if row.setting in OF_USERS and row.yours == row.run_with]
    return f"its settings name a {named[0]} of their own" if named else None


def _list_written(run: Run, command: Command) -> Iterator[Path]:
    """The files of the record that gunicorn's own processes open for writing."""
    names = (ACCESS_LOG, TRACE_FILE, NOTES_FILE, APP_FAULTS_FILE)
    told = {Path(value) for value in command.env.values()} | {run.folder.logs / ACCESS_LOG}
    return (path for name in names if (path := run.folder.logs / name) in told)
