"""The templates of the reports, and how a value that they print becomes text of the format.

What a template prints is escaped by itself: as one line in HTML and Markdown, as one word in a shell script. Text of
several lines, code and data go through the filters below. A name without a value is an error.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.records.redaction import current_identity, make_scrubber
from harness.report import escaping
from harness.report.assets import allowed_source, read_asset
from harness.report.fields import line

if TYPE_CHECKING:
    from jinja2 import BytecodeCache, Environment

FOLDER = Path(__file__).parent

ESCAPES: Mapping[str, Callable[[str], str]] = {
    "html": escaping.html_line,
    "md": escaping.markdown_line,
    "sh": escaping.shell_word,
}
"""By the format, the last suffix but one of a template's name: what is done to every value that has no filter."""

FILTERS: Mapping[str, Mapping[str, Callable[..., str]]] = {
    "html": {
        "block": escaping.html_block,
        "in_script": escaping.html_script,
        "asset": read_asset,
        "source": allowed_source,
    },
    "md": {"code": escaping.code_span, "fence": escaping.fence},
    "sh": {
        "comment": line,
        "command": escaping.shell_command,
        "label": escaping.shell_label,
        "here_text": escaping.here_text,
    },
}
"""The filters that make finished text of the format. ``asset`` and ``source`` only ever get names of our own files."""


def render(name: str, **values: object) -> str:
    """The template ``name``, such as ``run.html.j2``, with these values."""
    return environment(name.split(".")[-2]).get_template(name).render(values)


@cache
def environment(form: str) -> Environment:
    """What knows the templates of one format. Jinja2 is loaded here, after the record was judged."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def finish(make: Callable[..., str]) -> Callable[..., Markup]:
        return lambda *values: Markup(make(*values))  # noqa: S704 - it was escaped by ``make``

    def escape(value: Any) -> Any:  # noqa: ANN401 - whatever a template prints
        return value if hasattr(value, "__html__") else Markup(ESCAPES[form](str(value)))  # noqa: S704 - likewise

    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,  # what is finished carries a mark, in every format, and is not escaped again
        finalize=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
        bytecode_cache=_compiled(),
    )
    made.filters |= {filter_name: finish(make) for filter_name, make in FILTERS[form].items()}
    made.filters["without_private_names"] = without_private_names
    return made


def without_private_names(raw: str) -> str:
    """The text without home folders and names of user and host, as in the attachment: reports are made to be shared."""
    scrub = make_scrubber(current_identity())
    return "".join(scrub(one.encode("utf-8", "replace")).decode() for one in raw.splitlines(keepends=True))


def _compiled() -> BytecodeCache | None:
    """Compiled templates are kept as Python keeps its modules, because compiling them takes longer than their use."""
    from jinja2 import FileSystemBytecodeCache
    from jinja2.bccache import Bucket

    settings = Path(__file__).read_text(encoding="utf-8")

    class Kept(FileSystemBytecodeCache):
        def get_source_checksum(self, source: str) -> str:
            return super().get_source_checksum(source + settings)  # on which the compiled template depends, too

        def dump_bytecode(self, bucket: Bucket) -> None:
            with contextlib.suppress(OSError):  # without the right to write, they are compiled each time
                super().dump_bytecode(bucket)

    if sys.dont_write_bytecode:
        return None
    return Kept(str(FOLDER / "__pycache__"), f"%s.{sys.implementation.cache_tag}.j2c")
