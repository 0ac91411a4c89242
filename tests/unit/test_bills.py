"""The bill of an image: what its package managers say, as CycloneDX."""

from __future__ import annotations

from maintenance.bills import describe, parse_listing

SAID = (
    "deb\tlibc6\t2.36-9+deb12u9\tamd64\ndeb\tlibc6\t2.36-9+deb12u9\tamd64\npypi\tgunicorn\t19.6.0\t\n"
    "generic\tpython\t3.6.15\t\npypi\t\t\t\nnonsense\n"
)


def test_each_package_stands_there_once_with_its_url() -> None:
    bill = describe("recycle-harness/gunicorn:1", "sha256:2", parse_listing(SAID))
    assert [row["purl"] for row in bill["components"]] == [
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u9?arch=amd64",
        "pkg:generic/python@3.6.15",
        "pkg:pypi/gunicorn@19.6.0",
    ]
    assert bill["metadata"]["component"]["version"] == "sha256:2"
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
