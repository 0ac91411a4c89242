"""A user's nginx configuration, or only the part with its servers, as a run can have it.

Each directive is kept, replaced or left out by its name; one of no known name is refused. What the run owns (process,
logs, temporary files) is written as in the harness's own configuration.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from harness.core.patterns import pattern
from harness.stack.own_proxies import changes
from harness.stack.own_proxies.blocks import Directive, parse_blocks, render_blocks
from harness.stack.own_proxies.changes import Adapted, ChangeList, ReadFiles, no_gunicorn, refusal, unknown
from harness.stack.own_proxies.nginx_directives import FREE_BLOCKS, KEPT, LEFT_OUT
from harness.stack.proxies.setting import Setting
from harness.stack.proxies.users import group_of

CONFIG = "nginx.conf"
MAIN_FOLDER = "/etc/nginx"
LOOKS_LIKE = pattern(r"^\s*(?:server|upstream|http|location)\b[^;\n]*\{|\bproxy_pass\b", re.MULTILINE)

_TARGET = pattern(
    r"https?://(?P<target>unix:[^:]+(?=:|$)|[^/$]+)(?P<path>(?::?(?:/|\$request_uri|\$uri).*)?)", re.DOTALL
)
"""A variable right behind the name could make another name of it."""

_TEMPORARY = ("client_body", "proxy", "fastcgi", "scgi", "uwsgi")
_FORMAT = '$status "$upstream_status" "$request" $request_time $http_x_request_id'
_KEPT_PARAMETERS = ("weight", "max_fails", "fail_timeout", "max_conns", "slow_start")
_LISTEN_PARAMETERS = pattern(r"default_server|backlog=\d+|deferred|so_keepalive=.*")
_ID_DIRECTIVES = ("proxy_set_header", "proxy_hide_header", "add_header", "add_trailer")


def render_reading(program: str, config: str) -> list[str] | None:
    """None: the text is read here."""
    del program, config
    return None


def render_check(program: str, config: str) -> list[str]:
    """The check of nginx itself."""
    return [program, "-t", "-q", "-p", config.rpartition("/")[0] or ".", "-c", config]


def adapt(text: str, name: str, setting: Setting, read: ReadFiles) -> Adapted:
    """See ``own_proxies.Adapter``."""
    yours = _wrap(parse_blocks(text, name, read))
    adapter = _NginxAdapter(setting=setting, upstreams=_name_upstreams(yours))
    result = adapter.adapt(yours)
    return Adapted(text=render_blocks(result), before=render_blocks(yours), changes=tuple(adapter.changes.rows))


def _wrap(directives: Sequence[Directive]) -> list[Directive]:
    """A file with only servers, as those of sites-enabled are, becomes a whole one."""
    if any(one.name == "http" for one in directives):
        return list(directives)
    return [Directive(name="http", block=tuple(directives), place="the file")]


def _name_upstreams(directives: Sequence[Directive]) -> frozenset[str]:
    found = (one for top in directives for one in top.walk() if one.name == "upstream" and one.block is not None)
    return frozenset(one.arguments[0] for one in found if one.arguments)


def _hands_on(block: Directive) -> bool:
    return any(one.name == "proxy_pass" for one in block.walk())


@dataclass(kw_only=True)
class _NginxAdapter:
    setting: Setting
    upstreams: frozenset[str]
    changes: ChangeList = field(default_factory=ChangeList)

    def adapt(self, directives: Sequence[Directive]) -> list[Directive]:
        if not any(_hands_on(one) for one in directives):
            raise no_gunicorn("proxy_pass")
        main = self._examine(directives)
        if not any(one.name == "events" for one in main):
            main.insert(0, _block("events", [_line("worker_connections", str(2 * self.setting.connections + 512))]))
        if not any(one.name == "worker_processes" for one in main):
            main.insert(0, _line("worker_processes", "auto"))
        whole = [
            replace(one, block=(*self._own_http(), *(one.block or ()))) if one.name == "http" else one for one in main
        ]
        return [*self._own_main(), *whole]

    def _own_main(self) -> Iterator[Directive]:
        yield _line("daemon", "off")
        if self.setting.user is not None:
            yield _line("user", self.setting.user, group_of(self.setting.user))
        yield _line("pid", f"{self.setting.folder}/nginx.pid")
        yield _line("error_log", "stderr", "error")

    def _own_http(self) -> Iterator[Directive]:
        for name in _TEMPORARY:
            yield _line(f"{name}_temp_path", f"{self.setting.folder}/{name}")
        yield _line("log_format", "attempts", _FORMAT)
        yield _line("access_log", "/dev/stdout", "attempts")

    def _examine(self, directives: Sequence[Directive]) -> list[Directive]:
        return [kept for one in directives for kept in self._examine_one(one)]

    def _examine_one(self, one: Directive) -> Iterator[Directive]:
        if one.name in FREE_BLOCKS and one.block is not None:
            yield one
        elif one.name == "proxy_pass":
            yield self._pass(one)
        elif why := next((why for name, why in LEFT_OUT.items() if fnmatchcase(one.name, name)), None):
            self.changes.leave_out(one.place, one.said, why)
        elif one.name == "error_page" and all(word.startswith("5") for word in one.arguments[:-1] if word.isdigit()):
            self.changes.leave_out(one.place, one.said, "its page may not lie here, and would hide the status")
        elif one.name in _ID_DIRECTIVES and one.arguments and one.arguments[0].lower() == changes.ID_HEADER:
            self.changes.leave_out(one.place, one.said, changes.REQUEST_ID)
        elif not any(fnmatchcase(one.name, name) for name in KEPT):
            raise unknown(one.place, one.said)
        elif one.block is None:
            yield one
        elif one.name == "server" and not _hands_on(one):
            self.changes.leave_out(one.place, _name_server(one), changes.NO_GUNICORN)
        elif one.name == "server":
            yield replace(one, block=tuple(self._with_listener(one)))
        elif one.name == "upstream":
            yield replace(one, block=tuple(self._with_one_server(one)))
        else:
            yield replace(one, block=tuple(self._examine(one.block)))

    def _with_listener(self, server: Directive) -> Iterator[Directive]:
        listens = [one for one in server.block or () if one.name == "listen" and one.block is None]
        kept = (word for one in listens for word in one.arguments[1:] if _LISTEN_PARAMETERS.fullmatch(word))
        ours = _line("listen", f"127.0.0.1:{self.setting.port}", *dict.fromkeys(kept))
        for one in listens:
            self.changes.replace(one.place, one.said, ours.said, changes.LISTEN)
        yield ours
        yield from self._examine([one for one in server.block or () if one not in listens])

    def _with_one_server(self, upstream: Directive) -> Iterator[Directive]:
        servers = [one for one in upstream.block or () if one.name == "server" and one.block is None]
        main = next((one for one in servers if not {"backup", "down"} & {*one.arguments}), None)
        if main is None:
            raise refusal(f"{upstream.place}: this upstream has no server.", "Name the file that says where it is.")
        kept = [word for word in main.arguments[1:] if word.partition("=")[0] in _KEPT_PARAMETERS]
        ours = _line("server", self.setting.upstream, *kept)
        for one in servers:
            if one is main:
                self.changes.replace(one.place, one.said, ours.said, changes.UPSTREAM)
                yield ours
            else:
                self.changes.leave_out(one.place, one.said, changes.ONE_UPSTREAM)
        yield from self._examine([one for one in upstream.block or () if one not in servers])

    def _pass(self, one: Directive) -> Directive:
        found = _TARGET.fullmatch(one.arguments[0]) if len(one.arguments) == 1 else None
        if found is None or one.block is not None:
            raise refusal(f"{one.place}: `{one.said}`: where that leads is only known to a running nginx.")
        target, path = found["target"], found["path"]
        ours = target if target in self.upstreams else self.setting.upstream
        had_colon, wants_colon = target.startswith("unix:"), ours.startswith("unix:")
        path = path.removeprefix(":") if had_colon else path
        changed = _line("proxy_pass", f"http://{ours}{':' if wants_colon and path else ''}{path}")
        if changed.said != one.said:
            why = changes.UPSTREAM if target not in self.upstreams else changes.NO_TLS
            self.changes.replace(one.place, one.said, changed.said, why)
        return changed


def _line(name: str, *arguments: str) -> Directive:
    return Directive(name=name, arguments=arguments)


def _block(name: str, directives: Sequence[Directive]) -> Directive:
    return Directive(name=name, block=tuple(directives))


def _name_server(server: Directive) -> str:
    inside = [one.said for one in server.block or () if one.name in ("listen", "server_name")]
    return f"server {{ {' '.join(inside)} ... }}"
