"""The picture of the packages in the docs: made from the imports, and compared with them."""

from __future__ import annotations

from maintenance.structure import PICTURE, ROOT, place_boxes, read_imports, reduce_imports, render_picture


def test_the_picture_in_the_docs_is_that_of_the_code() -> None:
    assert PICTURE.read_text(encoding="utf-8") == render_picture(ROOT / "harness"), "make structure"


def test_what_follows_from_two_arrows_is_left_out() -> None:
    imports = {"cli": {"engine", "core"}, "engine": {"core"}, "core": set[str]()}
    assert reduce_imports(imports) == {"cli": {"engine"}, "engine": {"core"}, "core": set()}


def test_imports_lead_down() -> None:
    imports = read_imports(ROOT / "harness")
    boxes = place_boxes(imports)
    assert len(boxes) == len(imports) > 10
    assert all(boxes[below][1] < boxes[name][1] for name, found in imports.items() for below in found)
