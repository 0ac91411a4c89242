"""`make sbom`: what the images of the docker back end are made of, a file each, as CycloneDX 1.5.

What is listed is what the package managers in an image say: dpkg, and the metadata of Python's packages. What was put
there without one is missing, but for the Python of the base image, which its own variable names.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from harness.backends.docker import connection
from harness.core.errors import EXIT_OK, HarnessError

if TYPE_CHECKING:
    from docker import DockerClient

PLACE = Path("build/sbom")

LISTING = r"""
command -v dpkg-query >/dev/null && dpkg-query -W -f 'deb\t${Package}\t${Version}\t${Architecture}\n'
find / -xdev '(' -path '*.dist-info/METADATA' -o -path '*.egg-info/PKG-INFO' ')' -type f 2>/dev/null \
  | while read -r file; do
  printf 'pypi\t%s\t%s\t\n' "$(sed -n 's/^Name: *//p;T;q' "$file")" "$(sed -n 's/^Version: *//p;T;q' "$file")"
done
test -z "$PYTHON_VERSION" || printf 'generic\tpython\t%s\t\n' "$PYTHON_VERSION"
"""
"""A line a package: its kind, name, version and architecture, with tabs between them."""


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Package:
    """One package of an image; ``kind`` is the type of its package URL."""

    kind: str
    name: str
    version: str
    architecture: str = ""

    @property
    def url(self) -> str:
        """The package URL (purl)."""
        where = "debian/" if self.kind == "deb" else ""
        more = f"?arch={quote(self.architecture)}" if self.architecture else ""
        return f"pkg:{self.kind}/{where}{quote(self.name)}@{quote(self.version, safe='')}{more}"


def parse_listing(text: str) -> list[Package]:
    """The packages that an image lists, each once, sorted; a line of another form is left out."""
    rows = (line.split("\t") for line in text.splitlines())
    packages = (Package(kind=r[0], name=r[1], version=r[2], architecture=r[3]) for r in rows if len(r) == 4)  # noqa: PLR2004
    return sorted({package for package in packages if package.name and package.version})


def describe(name: str, identity: str, packages: Iterable[Package]) -> dict[str, Any]:
    """The bill of one image as a CycloneDX document; the same image gives the same one."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": name, "version": identity, "bom-ref": identity}},
        "components": [
            {
                "type": "library",
                "name": package.name,
                "version": package.version,
                "purl": package.url,
                "bom-ref": package.url,
            }
            for package in packages
        ],
    }


def list_packages(client: DockerClient, image: str) -> list[Package]:
    """Ask an image for its packages, in a container that has no network and can change nothing."""
    said = client.containers.run(
        image,
        ["-c", LISTING],
        entrypoint="/bin/sh",
        remove=True,
        network_mode="none",
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
    )
    return parse_listing(said.decode("utf-8", "replace"))


def main(arguments: Sequence[str]) -> int:
    """Write the bills of all images of the harness that are on the engine, into the named folder or build/sbom."""
    place = Path(arguments[0]) if arguments else PLACE
    try:
        client = connection.connect()
    except HarnessError as problem:
        print(f"sbom: skipped: {problem}", file=sys.stderr)
        return EXIT_OK
    place.mkdir(parents=True, exist_ok=True)
    for image in client.images.list(filters={"label": connection.IMAGE_LABEL}):
        for tag in image.tags:
            packages = list_packages(client, image.id)
            path = place / f"{tag.replace('/', '-').replace(':', '-')}.cdx.json"
            path.write_text(json.dumps(describe(tag, image.id, packages), indent=1) + "\n", encoding="utf-8")
            print(f"{path}: {len(packages)} packages")
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
