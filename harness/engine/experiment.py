"""What is done with a started stack: control, load, settle phase, ordered stop.

It is imported while gunicorn boots, which takes longer than the import.
"""

from __future__ import annotations

from harness.core.startup import import_ahead
from harness.engine.facts import collect_facts
from harness.engine.fleet import await_fleet
from harness.engine.idle_workers import ask_idle_workers
from harness.engine.leftovers import look_at_files, look_for_strays
from harness.engine.load_phase import make_load, run_load
from harness.engine.options import run_arguments
from harness.engine.readiness import await_ready, send_controls
from harness.engine.recovering import climb_ladder
from harness.engine.request import list_brought
from harness.engine.running_stack import Stack, find_load_tool
from harness.engine.settling import settle
from harness.engine.stopping import stop_in_order
from harness.stack.answers import sends_ids_back


def conduct(stack: Stack) -> None:
    """Run from the start of the servers to the ordered stop, before which the window is closed.

    Raises:
        HarnessError: the set-up is broken, a program is missing, or a server ended too soon.
    """
    run, watchers = stack.run, stack.watchers
    import_ahead()  # all three while gunicorn boots, which takes longer
    _write_facts(stack)
    load = make_load(stack)
    boot_s = stack.masters.boot_s = await_ready(stack)
    if not await_fleet(stack, boot_s=boot_s):
        return
    run.enter("control")
    send_controls(stack)
    look_at_files(stack, "before")
    run.enter("load")
    watchers.probe(stack.ways, ledger=stack.cell.ledger, compares=sends_ids_back(stack.cell), asked=stack.asked)
    run_load(stack, load)
    run.enter("settle")
    settle(stack, boot_s=boot_s)
    look_at_files(stack, "settled")
    look_for_strays(stack)
    ask_idle_workers(stack)
    climb_ladder(stack)
    stop_in_order(stack, boot_s=boot_s)


def _write_facts(stack: Stack) -> None:
    run = stack.run
    own = run.request.own.resolved if run.request.own is not None else None
    facts = collect_facts(
        cell=stack.cell,
        run_id=run.folder.run_id,
        environment=stack.environment,
        command=stack.command,
        proxy=stack.proxy,
        load_tool=find_load_tool(stack.cell, stack.backend),
        load_note=run.request.load_note,
        brought=list_brought(run.request),
        containers=stack.backend.facts(),
        settings=own.to_json() if own is not None else (),
        repeat=["harness", "reproduce", *run_arguments(run.request)] if own is not None else (),
    )
    run.folder.write_json("facts.json", facts)
