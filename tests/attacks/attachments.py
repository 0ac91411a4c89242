"""Attachments that were made to do harm: each is refused in a few lines, and nothing of it lands outside its place."""

from __future__ import annotations

import hashlib
import shutil
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.records.unpack import CHECKSUMS
from harness.report.attachment import bundle
from tests.attacks.attempt import Attempt, Place, a_place
from tests.attacks.records import HOSTILE
from tests.unit.runs import bursts, write_run

RENDERINGS = (("judge",), ("report", "--format", "html"), ("report", "--format", "junit"), ("bundle", "--force"))
REFUSED = (2,)
BOMB_BYTES = 128 * 2**20
TOP = "record"

# fmt: off
NAMES = (
    "/etc/cron.d/x", f"{TOP}/../../x", f"{TOP}/./x", f"{TOP}//x", f"{TOP}\\x", f"{TOP}/C:x", f"{TOP}/a\nb", "other/x",
    "x", f"{TOP}/{'x' * 300}", "-rf/x", f"{TOP}/CELL.json", f"{TOP}/cell.json/x", f"{TOP}/\x1b[31m", f"{TOP}/\u202ex",
)
# fmt: on
"""Of entries that no attachment has."""

Entry = tuple[zipfile.ZipInfo, bytes]
Damage = Callable[[Path], object]


def attack(every: int = 1) -> Iterator[Attempt]:
    """Each attachment in each rendering; ``every``: only each n-th of them."""
    with a_place() as place:
        run = write_run(bursts(), place.root / TOP)
        good = bundle(run, place.root / "good.zip", force=True)
        shutil.rmtree(run.path)
        tried = [(name, damage, rendering) for name, damage in list_damages() for rendering in RENDERINGS]
        for name, damage, rendering in tried[::every]:
            yield _try(place, good, f"{name}: {' '.join(rendering)}", damage, rendering)


def _try(place: Place, good: Path, name: str, damage: Damage, rendering: tuple[str, ...]) -> Attempt:
    spoilt = place.root / "spoilt.zip"
    shutil.copyfile(good, spoilt)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile's own, of the second entry with a name
        damage(spoilt)
    before = _list(place)
    words = [rendering[0], str(spoilt), *rendering[1:]]
    done = place.run(*words, *(["--out", str(place.root / "again.zip")] if rendering[0] == "bundle" else []))
    new = sorted(_list(place) - before)
    complaints = (*done.complain(REFUSED, brief=True), *place.leftovers(), *(f"written: {path}" for path in new))
    return Attempt(name=name, complaints=complaints)


def _list(place: Place) -> set[str]:
    return {str(path) for path in place.root.rglob("*")}


def _entries(path: Path) -> list[Entry]:
    with zipfile.ZipFile(path) as archive:
        return [(info, archive.read(info)) for info in archive.infolist()]


def _rewrite(path: Path, entries: list[Entry]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for info, content in entries:
            archive.writestr(info, content)


def _named(name: str, mode: int = stat.S_IFREG | 0o644, compression: int = zipfile.ZIP_STORED) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("placeholder")
    info.filename = info.orig_filename = name  # round the cleaning that ZipInfo does for well-meant names
    info.external_attr = mode << 16
    info.compress_type = compression
    return info


def _with(info: zipfile.ZipInfo, content: bytes = b"boo", *, promised: bool = False) -> Damage:
    """One entry more; ``promised``: its checksum is in the list, too."""

    def damage(path: Path) -> None:
        *entries, (listed, sums) = _entries(path)
        if promised:
            name = info.orig_filename.partition("/")[2].encode()
            sums += hashlib.sha256(content).hexdigest().encode() + b"  " + name + b"\n"
        _rewrite(path, [*entries, (info, content), (listed, sums)])

    return damage


def _renamed(top: str) -> Damage:
    def damage(path: Path) -> None:
        entries = _entries(path)
        _rewrite(path, [(_named(top + info.filename.removeprefix(TOP)), content) for info, content in entries])

    return damage


def _without(name: str) -> Damage:
    return lambda path: _rewrite(path, [entry for entry in _entries(path) if entry[0].filename != f"{TOP}/{name}"])


def _edited(name: str, content: bytes) -> Damage:
    def damage(path: Path) -> None:
        entries = _entries(path)
        _rewrite(path, [(one, content if one.filename == f"{TOP}/{name}" else was) for one, was in entries])

    return damage


def _patched(at: int, raw: bytes) -> Damage:
    """Bytes of the file itself are others; ``at`` below zero counts from its end."""

    def damage(path: Path) -> None:
        content = bytearray(path.read_bytes())
        begin = at % len(content)
        content[begin : begin + len(raw)] = raw
        path.write_bytes(content)

    return damage


def _cut(share: float) -> Damage:
    return lambda path: path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def list_damages() -> Iterator[tuple[str, Damage]]:
    """What is wrong with an attachment, and what makes it so."""
    for name in NAMES:
        yield f"an entry {name[:30]!r}", _with(_named(name))
        yield f"an entry {name[:30]!r} with its checksum", _with(_named(name), promised=True)
    yield "an entry that nobody promised", _with(_named(f"{TOP}/x"))
    for what, mode in {"link": 0o120777, "device": 0o020666, "FIFO": 0o010666, "socket": 0o140666}.items():
        yield f"a {what}", _with(_named(f"{TOP}/logs/x", mode), b"/etc/passwd", promised=True)
    yield "a folder", _with(_named(f"{TOP}/folder/", 0o040755))
    yield "a bomb", _with(_named(f"{TOP}/logs/x", compression=zipfile.ZIP_DEFLATED), bytes(BOMB_BYTES), promised=True)
    yield "an unusual compression", _with(_named(f"{TOP}/logs/x", compression=zipfile.ZIP_LZMA), promised=True)
    yield (
        "too many entries",
        lambda path: _rewrite(
            path, [*_entries(path), *((_named(f"{TOP}/logs/{number}"), b"") for number in range(2001))]
        ),
    )
    yield "two of the same name", lambda path: _rewrite(path, [*_entries(path), _entries(path)[0]])
    for top in ("..", ".", "-rf", "a/b", "\x1b[31m", HOSTILE.replace("/", "").replace("\0", "")):
        yield f"the top folder {top[:20]!r}", _renamed(top)
    for name in (CHECKSUMS, "cell.json", "events.jsonl"):
        yield f"{name} is missing", _without(name)
        yield f"{name} is another", _edited(name, HOSTILE.encode())
    for share in (0.0, 0.01, 0.5, 0.99):
        yield f"cut to {share:.0%}", _cut(share)
    yield "no zip at all", lambda path: path.write_bytes(HOSTILE.encode() * 100)
    yield "a table of contents that lies", _patched(-14, struct.pack("<HH", 60000, 60000))
    yield "a table of contents elsewhere", _patched(-6, struct.pack("<L", 2**31))
    yield "damaged in the middle", _patched(400, bytes(200))
    yield "its first bytes", _patched(0, b"MZ\x90\0")
