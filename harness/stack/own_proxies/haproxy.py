"""A user's haproxy configuration as a run can have it: one listener, one gunicorn, the run's own logs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from harness.core.patterns import pattern
from harness.stack.own_proxies import changes
from harness.stack.own_proxies.changes import Adapted, ChangeList, ReadFiles, no_gunicorn, refusal, unknown
from harness.stack.own_proxies.haproxy_keywords import (
    FLAGS_LEFT_OUT,
    GLOBAL_KEPT,
    KEPT,
    LEFT_OUT,
    OPTIONS_KEPT,
    OPTIONS_LEFT_OUT,
    REQUEST_REFUSED,
    SECTIONS_KEPT,
    SECTIONS_LEFT_OUT,
    SERVER_FLAGS,
    SERVER_VALUES,
    VALUES_LEFT_OUT,
)
from harness.stack.proxies.setting import Setting
from harness.stack.proxies.users import group_of

CONFIG = "haproxy.cfg"
MAIN_FOLDER = "/etc/haproxy"
LOOKS_LIKE = pattern(r"^\s*(?:frontend|backend|listen|defaults|global)\b[^{;:]*$", re.MULTILINE)

_WORD = pattern(r"""(?:\\.|"(?:\\.|[^"\\])*"|'[^']*'|[^\s#"'\\])+|\#.*""")
_LIMITS = pattern(r"_rate\(|\btrack-sc|\bsc\d?_|\bsc-")
_BESIDE: tuple[tuple[Callable[[str, str, Sequence[str]], bool], str], ...] = (
    (lambda keyword, second, _: keyword == "option" and second in OPTIONS_LEFT_OUT, changes.LOGS),
    (lambda keyword, _, words: keyword.startswith("http-") and changes.ID_HEADER in words, changes.REQUEST_ID),
    (lambda keyword, second, _: keyword.startswith("http-") and second == "capture", changes.LOGS),
    (lambda keyword, second, _: keyword.startswith("http-") and second.startswith("cache-"), changes.CACHE),
    (lambda _, __, words: _LIMITS.search(" ".join(words)) is not None, changes.LIMIT),
    (lambda _, __, words: {"redirect", "scheme"} <= {*words}, changes.NO_TLS),
)
"""(whether it is meant: by keyword, next word and all words) -> why it is left out."""

_PROXIES = ("defaults", "frontend", "backend", "listen")
_LOG_FORMAT = '"%ST %ts %rc %{+Q}r %Ta %[capture.req.hdr(0)]"'


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """One line: its words as they are written."""

    words: tuple[str, ...]
    place: str = ""

    @property
    def said(self) -> str:
        return " ".join(self.words)

    @property
    def keyword(self) -> str:
        return self.words[1] if self.words[0] == "no" and len(self.words) > 1 else self.words[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    head: _Line
    lines: tuple[_Line, ...]

    @property
    def kind(self) -> str:
        return self.head.words[0]

    @property
    def name(self) -> str:
        return self.head.words[1] if len(self.head.words) > 1 else ""

    @property
    def servers(self) -> list[_Line]:
        return [one for one in self.lines if one.words[0] == "server"]

    def render(self) -> str:
        return "".join([f"{self.head.said}\n", *(f"    {one.said}\n" for one in self.lines), "\n"])


def render_reading(program: str, config: str) -> list[str] | None:
    """None: the text is read here."""
    del program, config
    return None


def render_check(program: str, config: str) -> list[str]:
    """The check of haproxy itself."""
    return [program, "-c", "-f", config]


def adapt(text: str, name: str, setting: Setting, read: ReadFiles) -> Adapted:
    """See ``own_proxies.Adapter``; haproxy's files include nothing."""
    del read
    yours = _parse(text, name)
    adapter = _HaproxyAdapter(setting=setting)
    result = "".join(one.render() for one in adapter.adapt(yours))
    return Adapted(text=result, before="".join(one.render() for one in yours), changes=tuple(adapter.changes.rows))


def _parse(text: str, name: str) -> list[_Section]:
    sections: list[_Section] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        found = _WORD.findall(raw)
        words = tuple(found[: next((at for at, word in enumerate(found) if word.startswith("#")), len(found))])
        if not words:
            continue
        line = _Line(words=words, place=f"{name}, line {number}")
        if re.search(r'["\'\\$]', words[0]) or raw.rstrip().endswith("\\"):
            raise unknown(line.place, line.said)
        if words[0] in (*_PROXIES, "global", *SECTIONS_KEPT, *SECTIONS_LEFT_OUT):
            sections.append(_Section(head=line, lines=()))
        elif not sections:
            raise refusal(f"{line.place}: `{line.said}` is not how haproxy is configured.", "Name its proxy: --proxy.")
        else:
            sections[-1] = replace(sections[-1], lines=(*sections[-1].lines, line))
    return sections


@dataclass(kw_only=True)
class _HaproxyAdapter:
    setting: Setting
    changes: ChangeList = field(default_factory=ChangeList)

    def adapt(self, sections: Sequence[_Section]) -> list[_Section]:
        listener = self._find_listener(sections)
        result = [_Section(head=_Line(words=("global",)), lines=tuple(self._global(sections)))]
        for one in sections:
            if one.kind in SECTIONS_LEFT_OUT:
                self._leave_out(one.head, SECTIONS_LEFT_OUT[one.kind])
            elif one.kind in SECTIONS_KEPT:
                result.append(one)
            elif one.kind == "defaults":
                result.append(replace(one, lines=tuple(self._lines(one))))
            elif one is listener or (one.kind == "backend" and one.servers):
                result.append(self._proxy(one, listens=one is listener))
            elif one.kind != "global":
                self._leave_out(one.head, changes.NO_GUNICORN)
        return result

    def _find_listener(self, sections: Sequence[_Section]) -> _Section:
        """The frontend (or listen) that leads to servers; there has to be one."""
        behind = {one.name for one in sections if one.kind == "backend" and one.servers}
        found = [
            one for one in sections if one.kind in ("frontend", "listen") and (one.servers or _leads_to(one, behind))
        ]
        if not found:
            raise no_gunicorn("a frontend with a backend that has a server")
        if len(found) > 1:
            names = ", ".join(one.head.said for one in found)
            raise refusal(f"several listeners lead to servers ({names}), and a run has one.", "Name a file with one.")
        if not any(
            one.words[:2] == ("mode", "http")
            for part in sections
            if part.kind == "defaults" or part is found[0]
            for one in part.lines
        ):
            raise refusal(f"{found[0].head.said} is not in `mode http`: what passes there are no requests.")
        return found[0]

    def _global(self, sections: Sequence[_Section]) -> Iterator[_Line]:
        yield _words("log stdout format raw local0")
        if self.setting.user is not None:
            yield _words(f"user {self.setting.user}")
            yield _words(f"group {group_of(self.setting.user)}")
        for one in (line for section in sections if section.kind == "global" for line in section.lines):
            if one.keyword in GLOBAL_KEPT or one.keyword.startswith("tune."):
                yield one
            elif one.keyword.partition("-")[0] == "ssl" or one.keyword in LEFT_OUT:
                self._leave_out(one, LEFT_OUT.get(one.keyword, changes.NO_TLS))
            else:
                raise unknown(one.place, one.said)

    def _proxy(self, section: _Section, *, listens: bool) -> _Section:
        lines: list[_Line] = []
        if listens:
            ours = _words(f"bind 127.0.0.1:{self.setting.port}")
            lines += [ours, _words("log global"), _words(f"log-format {_LOG_FORMAT}"), _words("option dontlognull")]
            lines.append(_words("http-request capture req.hdr(X-Request-Id) len 32"))
            for one in section.lines:
                if one.keyword == "bind":
                    self._replace(one, ours, changes.LISTEN)
        lines += self._lines(section)
        main = next((one for one in section.servers if not {"backup", "disabled"} & {*one.words}), None)
        if section.servers and main is None:
            raise refusal(f"{section.head.place}: each server here is a backup or disabled.", "Name one that serves.")
        for one in section.servers:
            if one is main:
                lines.append(self._server(one))
            else:
                self._leave_out(one, changes.ONE_UPSTREAM)
        return replace(section, lines=tuple(lines))

    def _lines(self, section: _Section) -> Iterator[_Line]:
        for one in section.lines:
            if one.keyword in ("bind", "server"):
                continue
            why = self._why_not(one)
            if why is not None:
                self._leave_out(one, why)
            elif one.keyword == "default-server":
                yield self._with_parameters(one, kept=1)
            else:
                yield one

    def _why_not(self, one: _Line) -> str | None:
        """Why a line is left out; None where it is kept."""
        words = [word.strip("\"'").lower() for word in one.words]
        keyword, second = one.keyword, (*words[words.index(one.keyword.lower()) + 1 :], "")[0]
        if keyword == "mode" and second != "http":
            raise refusal(f"{one.place}: `{one.said}`: what passes there are no requests that could be looked at.")
        why = LEFT_OUT.get(keyword) or next((why for beside, why in _BESIDE if beside(keyword, second, words)), None)
        if why is not None:
            return why
        known = second in OPTIONS_KEPT if keyword == "option" else keyword in KEPT
        elsewhere = any(word.startswith(name) for word in words for name in REQUEST_REFUSED)
        checks_elsewhere = keyword == "http-check" and bool({"addr", "port", "via-socks4"} & {*words})
        if not known or elsewhere or checks_elsewhere:
            raise unknown(one.place, one.said)
        return None

    def _server(self, one: _Line) -> _Line:
        if len(one.words) < 3:  # noqa: PLR2004 - server, its name, its address
            raise refusal(f"{one.place}: `{one.said}`: this server has no address.")
        path = self.setting.upstream.partition("unix:")[2]
        address = f"unix@{path}" if path else self.setting.upstream
        ours = self._with_parameters(replace(one, words=(*one.words[:2], address, *one.words[3:])), kept=3)
        self._replace(one, ours, changes.UPSTREAM)
        return ours

    def _with_parameters(self, one: _Line, *, kept: int) -> _Line:
        """The line without parameters that speak of TLS, of other addresses or of names."""
        words, rest = list(one.words[:kept]), list(one.words[kept:])
        while rest:
            word = rest.pop(0)
            value = [rest.pop(0)] if word in (*SERVER_VALUES, *VALUES_LEFT_OUT) and rest else []
            if word in SERVER_FLAGS or word in SERVER_VALUES:
                words += [word, *value]
            elif word not in FLAGS_LEFT_OUT and word not in VALUES_LEFT_OUT:
                raise unknown(one.place, one.said)
            elif one.words[0] == "default-server":
                self.changes.leave_out(one.place, " ".join([word, *value]), changes.NO_TLS)
        return replace(one, words=tuple(words))

    def _replace(self, one: _Line, ours: _Line, why: str) -> None:
        self.changes.replace(one.place, one.said, ours.said, why)

    def _leave_out(self, one: _Line, why: str) -> None:
        self.changes.leave_out(one.place, one.said, why)


def _leads_to(section: _Section, names: set[str]) -> bool:
    chosen = [
        one.words[1] for one in section.lines if one.words[0] in ("use_backend", "default_backend") and one.words[1:]
    ]
    return any(name in names or "%[" in name for name in chosen)


def _words(text: str) -> _Line:
    return _Line(words=tuple(_WORD.findall(text)))
