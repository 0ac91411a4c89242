"""Broken surroundings: an error with its cause and a remedy, never a verdict, a traceback or something left behind."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from tests.attacks.attempt import Attempt, Done, Place, a_place, finish
from tests.integration.stubs import command, make_wheel

QUICK = ("--worker", "sync", "--workers", "2", "--max-requests", "100", "--recycles", "2", "--duration", "1")
FAILED = (4,)
PATIENT = {"UV_HTTP_TIMEOUT": "2", "UV_HTTP_RETRIES": "0"}


def attack() -> Iterator[Attempt]:
    """Each of them once."""
    yield from _attack_places()
    yield from _attack_streams()
    yield from _attack_index()
    yield from _attack_disks()


def _attack_places() -> Iterator[Attempt]:
    for place_name in ("/proc/x", "/sys/x", "/dev/null", "/dev/null/x"):
        yield _run(f"records in {place_name}", FAILED, out=place_name)
        yield _run(f"the cache in {place_name}", FAILED, more={"RECYCLE_HARNESS_CACHE": place_name})
    yield _run("a temporary folder with a blank", FAILED, make_temporary="t t")
    yield _run("a temporary folder whose path is too long", FAILED, make_temporary="t" * 120)
    yield _run("no temporary folder of that name", (0, 3, 4), more={"TMPDIR": "/proc/nonexistent"})
    yield _run("no PATH", (0, 3, 4), more={"PATH": ""})
    yield _run("an odd terminal", (0, 3), more={"COLUMNS": "-1", "TERM": "\x1b[31m", "LANG": "xx_XX"})
    yield _run("no HOME", (0, 3, 4), more={"HOME": "/proc/nonexistent"})


def _attack_streams() -> Iterator[Attempt]:
    for stream in ("stdout", "stderr"):
        with a_place() as place, Path("/dev/full").open("w") as full:
            wheel = make_wheel(place.root, "good")
            argv = command("reproduce", wheel, *QUICK, "--out", place.out)
            streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: full}
            running = subprocess.Popen(
                argv,
                env=place.environ(),
                text=True,
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                **streams,  # type: ignore[call-overload]
            )
            done = finish(running)
            done = Done(code=done.code, out=done.out or "", err=done.err or "")
            yield _judge(f"a full {stream}", place, done, (0, 3, 4))


def _attack_index() -> Iterator[Attempt]:
    with closing(socket.create_server(("127.0.0.1", 0))) as hanging:
        address = f"http://127.0.0.1:{hanging.getsockname()[1]}/simple"
        yield _run("an index that hangs", FAILED, spec="19.6.77", more={**PATIENT, "UV_DEFAULT_INDEX": address})
    address = "http://me:hunter2hunter2@127.0.0.1:1/simple"
    with a_place() as place:
        done = place.run("reproduce", "19.6.77", "--out", place.out, more={**PATIENT, "UV_DEFAULT_INDEX": address})
        told = [path.name for path in place.out.rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]
        shown = ["its password is shown"] if "hunter2" in done.out + done.err or told else []
        yield Attempt(name="a closed index", complaints=(*done.complain(FAILED), *shown, *place.leftovers()))


def _attack_disks() -> Iterator[Attempt]:
    unshare = shutil.which("unshare")
    allowed = unshare and subprocess.run([unshare, "--mount", "true"], capture_output=True, check=False).returncode == 0
    if not unshare or not allowed:
        return
    for what, options in {"full": "size=48k", "nearly full": "size=300k", "read-only": "ro,size=4k"}.items():
        with a_place() as place:
            small = place.root / "small"
            small.mkdir()
            run = " ".join(command("reproduce", make_wheel(place.root, "good"), *QUICK, "--out", small / "runs"))
            argv = [unshare, "--mount", "sh", "-c", f"mount -t tmpfs -o {options} none {small} && {run}"]
            running = subprocess.Popen(
                argv,
                env=place.environ(),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            yield _judge(f"a {what} disk", place, finish(running), FAILED)


def _run(
    name: str,
    codes: tuple[int, ...],
    *,
    spec: str | None = None,
    out: str | None = None,
    more: Mapping[str, str] | None = None,
    make_temporary: str | None = None,
) -> Attempt:
    with a_place() as place:
        wheel = make_wheel(place.root, "good")
        more = dict(more or {})
        if make_temporary is not None:
            (place.root / make_temporary).mkdir()
            more["TMPDIR"] = str(place.root / make_temporary)
        done = place.run("reproduce", spec or str(wheel), *QUICK, "--out", out or str(place.out), more=more)
        return _judge(name, place, done, codes)


def _judge(name: str, place: Place, done: Done, codes: tuple[int, ...]) -> Attempt:
    return Attempt(name=name, complaints=(*done.complain(codes), *place.leftovers()))
