"""Debian's and Ubuntu's packages: installed with the rights to do so, or fetched and unpacked without them.

``bootstrap`` and ``tools`` share it, so it imports nothing outside the standard library. They know what a package
is good for, and what to do on other systems.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.core.errors import SurroundingsError
from harness.core.keeping import temporary_folder
from harness.core.patterns import pattern

LISTS = Path("/var/lib/apt/lists")
POLICY = Path("/usr/sbin/policy-rc.d")
SBIN = ("/usr/sbin", "/sbin")
INIT_SCRIPTS = Path("/etc/init.d")
POLICY_MARK = "# Written by recycle-harness"
OUTPUT_LINES = 8
"""How much of apt-get's output an error quotes: its reasons come last, two or three lines each."""

OPTIONS = ("-q", "-y", "-o", "DPkg::Lock::Timeout=120", "-o", "Acquire::Retries=2", "-o", "Acquire::http::Timeout=30")
"""Wait (s) for another apt to finish rather than fail, and for a mirror no longer than a user would."""

_INST = pattern(r"^Inst (\S+) (?:\[\S+\] )?\((\S+)", re.MULTILINE)


def available() -> bool:
    """Whether this is a system that apt-get and dpkg look after."""
    return all(shutil.which(name) for name in ("apt-get", "dpkg-deb"))


def privileges() -> list[str] | None:
    """What to put before an argv to run it as root: nothing, sudo without a password, or None where neither is."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo and _run([sudo, "-n", "true"]).returncode == 0:
        return [sudo, "-n"]
    return None


def install(packages: Sequence[str], *, rights: Sequence[str]) -> None:
    """Install ``packages`` system-wide, without questions and without starting their services.

    The package lists are fetched where there are none, and once more if the first attempt fails: mirrors drop
    superseded versions.

    Raises:
        SurroundingsError: apt-get failed; the error has the end of its output.
    """
    become = [*rights, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *OPTIONS]
    attempt = [*become, "install", "--no-install-recommends", *packages]
    with _services_kept_down(rights):
        if not _has_lists(LISTS):
            _run([*become, "update"])
        if _run(attempt).returncode == 0:
            return
        # An unreachable third-party mirror fails an update that is good enough, so only the install counts.
        _run([*become, "update"])
        _require(_run(attempt), f"apt-get could not install {' '.join(packages)}")


def disable_service(service: str, *, rights: Sequence[str]) -> None:
    """Keep the system from starting ``service``, whose package was just installed, at its next boot.

    Does nothing on a system where nothing starts services.

    Raises:
        SurroundingsError: the service could not be switched off.
    """
    search_path = os.pathsep.join((os.environ.get("PATH", os.defpath), *SBIN))
    systemctl, update = (shutil.which(name, path=search_path) for name in ("systemctl", "update-rc.d"))
    if systemctl is not None:  # it tells update-rc.d, too
        done = _run([*rights, systemctl, "disable", service])
    elif update is not None and (INIT_SCRIPTS / service).exists():
        done = _run([*rights, update, service, "disable"])
    else:
        return
    _require(done, f"the service {service} of the package just installed could not be switched off")


def unpack(package: str, into: Path) -> str:
    """Fetch ``package`` and those of its dependencies that are not installed, unpack them below ``into``.

    Needs no special rights. Returns the version of ``package``. Creates ``into``, and may leave it half filled.

    Raises:
        SurroundingsError: a package could not be fetched or unpacked.
    """
    into.mkdir(parents=True)
    with temporary_folder("packages") as scratch:
        debs = _download(package, scratch)
        for deb in debs:
            _require(_run(["dpkg-deb", "-x", str(deb), str(into)]), f"{deb.name} could not be unpacked")
        main = next(deb for deb in debs if deb.name.startswith(f"{package}_"))
        shown = _require(_run(["dpkg-deb", "-f", str(main), "Version"]), f"{main.name} has no version")
        return shown.stdout.strip()


def _download(package: str, scratch: Path) -> list[Path]:
    """The .deb files of ``package`` and what it lacks, found in the system's lists or else in fresh ones of our own."""
    own = _own_lists(scratch)
    attempts: list[Sequence[str]] = [(), own] if _has_lists(LISTS) else [own]
    for options in attempts:
        if options:
            _run(["apt-get", *OPTIONS, *options, "update"])
        planned = _run(["apt-get", *OPTIONS, *options, "-s", "install", "--no-install-recommends", package])
        wanted = {package, *(f"{name}={version}" for name, version in _INST.findall(planned.stdout) if name != package)}
        fetched = _run(["apt-get", *OPTIONS, *options, "download", *sorted(wanted)], cwd=scratch)
        if planned.returncode == 0 and fetched.returncode == 0:
            return sorted(scratch.glob("*.deb"))
    failed = planned if planned.returncode else fetched
    _require(failed, f"apt-get could not download {package}")
    raise AssertionError("unreachable: the attempt failed")  # pragma: no cover


def _own_lists(scratch: Path) -> Sequence[str]:
    """Options that let apt-get keep its lists where an ordinary user may write."""
    for part in ("lists/partial", "cache/archives/partial"):
        (scratch / part).mkdir(parents=True)
    return ("-o", f"Dir::State::Lists={scratch}/lists", "-o", f"Dir::Cache={scratch}/cache")


def _has_lists(folder: Path) -> bool:
    return any(folder.glob("*_Packages*")) or any(folder.glob("*_InRelease"))


@contextmanager
def _services_kept_down(rights: Sequence[str]) -> Iterator[None]:
    """Make Debian's policy script refuse to start services while a package is installed.

    h2o's package would otherwise start a server on port 80. A policy script that is there already is left alone. Ours
    refuses only while this process lives: if it stays behind after a kill, it allows everything again.
    """
    if POLICY.exists() and POLICY_MARK not in POLICY.read_text(errors="replace"):
        yield
        return
    with tempfile.NamedTemporaryFile("w", prefix="policy-rc.d-") as ours:
        ours.write(f"#!/bin/sh\n{POLICY_MARK} while it installs a package; may be removed.\n")
        ours.write(f"test ! -d /proc/{os.getpid()} || exit 101\nexit 0\n")
        ours.flush()
        placed = _run([*rights, "install", "-m", "755", ours.name, str(POLICY)])
        _require(placed, f"{POLICY} could not be written, so a package would start its service")
    try:
        yield
    finally:
        _run([*rights, "rm", "-f", str(POLICY)])


def _run(argv: Sequence[str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(
        argv,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )


def _require(done: subprocess.CompletedProcess[str], what: str) -> subprocess.CompletedProcess[str]:
    """Return ``done`` if the command succeeded; else raise SurroundingsError with the end of what it printed."""
    if done.returncode == 0:
        return done
    shown = "\n".join(f"    {line}" for line in done.stdout.strip().splitlines()[-OUTPUT_LINES:])
    raise SurroundingsError(
        what=f"{what} (status {done.returncode}); it printed last:\n{shown}",
        remedy="check the network and /etc/apt/sources.list, then try again",
    )
