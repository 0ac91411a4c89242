"""The container image of the harness, ``recycle-harness/harness``: ``make image``.

What goes into it is found on this machine, so that no image registry is needed where ``docker/local-base`` has made
a Debian: interpreters that lie in a folder of their own (pyenv's, uv's), the harness as a wheel, and what uv resolves.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

import harness
from harness.backends.docker import bases, connection, wheels
from harness.core.errors import HarnessError, SurroundingsError
from harness.core.paths import cache_dir, docker_dir
from harness.provision import installer
from harness.provision.interpreters import Interpreter, Memory, survey
from harness.provision.releases import Minor, load_catalogue

ROOT = Path(__file__).resolve().parents[1]
TAG = "recycle-harness/harness"
PYTHONS = [(3, minor) for minor in range(6, 15)]
RUNS_IT = [(3, 12), (3, 11), (3, 13), (3, 14)]
"""The Pythons that the harness itself is run by, the first one that is there."""

WARM = ("19.6.0", "27.0.1")
PROGRAMS = ("ca-certificates", "git", "h2o", "wrk", "nginx-light", "haproxy", "caddy")
NOT_NEEDED = (
    *("test", "tests", "idlelib", "tkinter", "lib2to3", "ensurepip", "turtledemo", "pydoc_data"),
    *("config-*", "*.a", "*.exe", "*.opt-*.pyc", "_tkinter*", "_test*", "pkgconfig", "site-packages"),
)


def find_pythons() -> dict[Minor, Interpreter]:
    """One interpreter of each version, of those in a folder of their own: the system's can't be taken along."""
    found = survey(Memory(file=cache_dir() / "interpreters.json"), environ=os.environ, home=Path.home())
    pythons: dict[Minor, Interpreter] = {}
    for one in found.interpreters:
        own = one.path.parents[1] not in {Path("/usr"), Path("/usr/local"), Path("/")}
        if own and one.minor in PYTHONS and one.implementation == "CPython":
            pythons.setdefault(one.minor, one)
    return dict(sorted(pythons.items()))


def name_minor(minor: Minor) -> str:
    """``3.6``."""
    return ".".join(map(str, minor))


def copy_python(python: Interpreter, target: Path) -> None:
    """The interpreter and its standard library, without what was installed beside them and without tests."""
    source = python.path.resolve().parents[1]
    (target / "bin").mkdir(parents=True)
    name = f"python{name_minor(python.minor)}"
    shutil.copy2(source / "bin" / name, target / "bin" / name)
    for link in ("python3", "python"):
        (target / "bin" / link).symlink_to(name)
    shutil.copytree(source / "lib", target / "lib", symlinks=True, ignore=shutil.ignore_patterns(*NOT_NEEDED))
    (target / "lib" / name / "site-packages").mkdir()
    strip_symbols(target)


def strip_symbols(folder: Path) -> None:
    """Take what only a debugger reads out of programs and libraries: two fifths of a Python as pyenv builds it."""
    strip = shutil.which("strip")
    if strip is None:
        print("image: larger than it need be: there is no strip here (Debian, Ubuntu: binutils)", file=sys.stderr)
        return
    files = [str(path) for path in _list_linked(folder) if not path.is_symlink()]
    subprocess.run([strip, "--strip-unneeded", *files], check=True)


def _list_linked(folder: Path) -> list[Path]:
    """The programs and shared libraries."""
    return [path for path in folder.rglob("*") if path.is_file() and re.search(r"\.so|/python3\.\d+$", str(path))]


def list_libraries(folder: Path) -> list[str]:
    """The Debian packages of the shared libraries that the interpreters below a folder are linked with."""
    files = map(str, _list_linked(folder))
    linked = subprocess.run(["/usr/bin/ldd", *files], capture_output=True, text=True, check=False).stdout
    found = set(re.findall(r"=> (/\S+)", linked))
    libraries = {path for path in found if not path.startswith(str(folder)) and "/libpython" not in path}
    owners = {_owner_of(library) for library in libraries}
    return sorted(owner for owner in owners if owner)


def _owner_of(library: str) -> str:
    """Its package. Debian's packages name files as they lay before /lib became a link to /usr/lib."""
    for path in (library, f"/usr{library}", library.removeprefix("/usr")):
        asked = subprocess.run(["/usr/bin/dpkg", "--search", path], capture_output=True, text=True, check=False)
        if asked.returncode == 0:
            return asked.stdout.partition(":")[0]
    return ""


def fill_wheels(folder: Path, python: Interpreter, architecture: str) -> None:
    """The harness, what it imports, and pip, for the Python that runs it."""
    names = [
        re.split(r"[\s;<>=!\[]", line)[0] for line in metadata.requires("recycle-harness") or () if "extra" not in line
    ]
    pins = [f"{name}=={metadata.version(name)}" for name in names if name != "tomli"]
    target = wheels.Target(version=python.version, architecture=architecture)
    wheels.fill(folder, pins, target, subject="the harness", log=folder.with_suffix(".log"))
    done = installer.run_uv(["build", "--wheel", "--out-dir", str(folder), str(ROOT)], folder.parent)
    if done.status != 0:
        raise installer.complain(done, "the harness can't be built", SurroundingsError)


def fill_packages(folder: Path, pythons: Mapping[Minor, Interpreter], architecture: str) -> None:
    """The releases that need no index, for the Python that the catalogue prefers, and for the newest one of each."""
    catalogue = load_catalogue()
    folder.mkdir()
    for release in WARM:
        fitting = [one for one in pythons.values() if catalogue.why_not(release, one.minor, "gthread") is None]
        preferred = [one for one in fitting if one.minor == catalogue.preferred_python]
        for python in {one.version: one for one in (*preferred, *fitting)}.values():
            part = folder / f"{release}-{python.version}"
            needs = (f"gunicorn=={release}", *catalogue.requirements(release, python.version, "gthread"))
            target = wheels.Target(version=python.version, architecture=architecture)
            wheels.fill(part, needs, target, subject=f"gunicorn {release}", log=folder.with_suffix(".log"))
            for file in part.iterdir():
                file.replace(folder / file.name)
            part.rmdir()


def build(pythons: Mapping[Minor, Interpreter], *, tag: str) -> None:
    """Build the image; its progress goes to the terminal.

    Raises:
        HarnessError: there is no engine or no base image, or what is needed can't be fetched.
        subprocess.CalledProcessError: a step failed.
    """
    runs_it = next(pythons[minor] for minor in RUNS_IT if minor in pythons)
    client = connection.connect()
    base = bases.find_debian(client, print)
    client.close()
    with tempfile.TemporaryDirectory(prefix="image-") as folder:
        context = Path(folder)
        for minor, python in pythons.items():
            copy_python(python, context / "pythons" / name_minor(minor))
        fill_wheels(context / "wheels", runs_it, base.architecture)
        fill_packages(context / "packages", pythons, base.architecture)
        shutil.copy(docker_dir() / "harness" / "Dockerfile", context)
        arguments = {
            "BASE": base.name,
            "PYTHON": name_minor(runs_it.minor),
            "PACKAGES": " ".join([*PROGRAMS, *list_libraries(context / "pythons")]),
            "WARM": " ".join(WARM),
        }
        subprocess.run(
            ["docker", "build", "--network", "host", "--tag", tag, *_build_arguments(arguments), str(context)],  # noqa: S607
            env={**os.environ, "DOCKER_BUILDKIT": "0"},  # an engine of Debian's package has no other builder
            check=True,
        )


def _build_arguments(arguments: Mapping[str, str]) -> Iterable[str]:
    for name, value in arguments.items():
        yield from ("--build-arg", f"{name}={value}")


def main() -> int:
    """Parse the options, which come in ARGS from make."""
    parser = argparse.ArgumentParser(prog="python -m maintenance.image", description=__doc__)
    parser.add_argument("--tag", default=f"{TAG}:{harness.__version__}", help="the image's name (default: %(default)s)")
    options = parser.parse_args(sys.argv[1:] or shlex.split(os.environ.get("ARGS", "")))
    pythons = find_pythons()
    if not set(RUNS_IT) & set(pythons):
        print("no Python 3.11 or newer in a folder of its own: uv python install 3.12", file=sys.stderr)
        return 4
    print(f"with Python {', '.join(one.version for one in pythons.values())}")
    try:
        build(pythons, tag=options.tag)
    except HarnessError as problem:
        print(f"{problem.what}\n{problem.remedy}", file=sys.stderr)
        return problem.exit_code
    except subprocess.CalledProcessError:
        return 4
    asked = ["docker", "image", "inspect", "--format", "{{.Size}}", options.tag]
    size = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    print(f"{options.tag}, {int(size) / 1e6:,.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
