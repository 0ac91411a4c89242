"""A user's h2o configuration as a run can have it. YAML, read and written by a library, with its comments."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from harness.core.patterns import pattern
from harness.stack.own_proxies import changes
from harness.stack.own_proxies.changes import Adapted, ChangeList, ReadFiles, no_gunicorn, refusal, unknown
from harness.stack.proxies.setting import Setting

CONFIG = "h2o.conf"
MAIN_FOLDER = "/etc/h2o"
LOOKS_LIKE = pattern(r"^\s*[\"']?(?:proxy\.reverse\.url|hosts)[\"']?\s*:", re.MULTILINE)

REVERSE = "proxy.reverse.url"
_FORMAT = '%h %l %u %t "%r" %s %b "%{Referer}i" "%{User-agent}i" %{x-request-id}i'
_PATH = pattern(r"https?://(?:\[[^\]]*\]|[^/\[\]]+)(/.*)?", re.DOTALL)

_MERGE = pattern(r"<<[\"']?\s*:")

_LEFT_OUT: Mapping[str, str] = {
    "user": changes.USER,
    "pid-file": changes.NOT_OUTSIDE,
    "temp-buffer-path": changes.NOT_OUTSIDE,
    "crash-handler*": changes.NOT_OUTSIDE,
    "access-log": changes.LOGS,
    "error-log*": changes.LOGS,
    "ssl-*": changes.NO_TLS,
    "num-ocsp-updaters": changes.NO_TLS,
    "proxy.ssl.*": changes.NO_TLS,
    "proxy.proxy-protocol": changes.OTHER_SERVICE,
    "proxy.reverse.backends": changes.OTHER_SERVICE,
    "proxy.connect*": changes.OTHER_SERVICE,
    "proxy.http3*": changes.NO_TLS,
    "reproxy": changes.OTHER_SERVICE,
}
_KEPT = (
    *("max-connections", "num-threads", "num-name-resolution-threads", "limit-request-body", "max-delegations"),
    *(
        "tcp-fastopen",
        "tcp-reuseport",
        "handshake-timeout",
        "server-name",
        "send-server-name",
        "stash",
        "duration-stats",
    ),
    *("http1-*", "http2-*", "proxy.*", "header.*", "compress", "compress-*", "gzip", "expires", "redirect", "errordoc"),
    *("error-doc", "status", "file.dir", "file.file", "file.index", "file.dirlisting", "file.etag", "file.mime.*"),
    *("file.send-*", "throttle-response", "setenv", "unsetenv", "server-timing", "max-reprioritization-delay"),
)


def render_reading(program: str, config: str) -> list[str] | None:
    """None: the text is read here."""
    del program, config
    return None


def render_check(program: str, config: str) -> list[str]:
    """h2o's own check."""
    return [program, "-m", "test", "-c", config]


def adapt(text: str, name: str, setting: Setting, read: ReadFiles) -> Adapted:
    """See ``own_proxies.Adapter``; a file that h2o would include (``!file``) is refused."""
    del read
    tree = _load(text, name)
    before = _dump(tree)
    adapter = _H2oAdapter(setting=setting, name=name)
    adapter.adapt(tree)
    return Adapted(text=_dump(tree), before=before, changes=tuple(adapter.changes.rows))


def _yaml() -> Any:  # noqa: ANN401 - the library's own class, imported late
    from ruamel.yaml import YAML

    yaml = YAML()  # keeps comments and the order
    yaml.width = 4096
    return yaml


def _load(text: str, name: str) -> Any:  # noqa: ANN401 - a tree of the library
    from ruamel.yaml.error import YAMLError

    try:
        tree = _yaml().load(text)
    except YAMLError as problem:
        said = " ".join(str(problem).split())
        raise refusal(f"{name} is not YAML: {said[:200]}", "Name its proxy: --proxy.") from None
    if not isinstance(tree, MutableMapping) or not isinstance(tree.get("hosts"), MutableMapping):
        raise refusal(f"{name} has no `hosts`: this is not how h2o is configured.", "Name its proxy: --proxy.")
    if _MERGE.search(text):
        raise refusal(f"{name}: merged keys (<<) are not read.", "Write them out.")
    for tag in _find_tags(tree):
        raise refusal(f"{name}: {tag} is not read.", "Write what it stands for in its place.")
    return tree


def _find_tags(tree: Any) -> Iterator[str]:  # noqa: ANN401 - likewise
    tag = getattr(getattr(tree, "tag", None), "value", None)
    if tag is not None and not str(tag).startswith("tag:yaml.org"):
        yield str(tag)
    nested = tree.values() if isinstance(tree, Mapping) else tree if isinstance(tree, list) else ()
    for one in nested:
        yield from _find_tags(one)


def _dump(tree: Any) -> str:  # noqa: ANN401 - likewise
    stream = io.StringIO()
    _yaml().dump(tree, stream)
    return stream.getvalue()


@dataclass(kw_only=True)
class _H2oAdapter:
    setting: Setting
    name: str
    changes: ChangeList = field(default_factory=ChangeList)

    def adapt(self, tree: MutableMapping[str, Any]) -> None:
        hosts: MutableMapping[str, Any] = tree["hosts"]
        for host in list(hosts):
            if not _hands_on(hosts[host]):
                self._leave_out(hosts, host, changes.NO_GUNICORN)
        if not hosts:
            raise no_gunicorn(REVERSE)
        for host in hosts.values():
            for place in self._level(self._level(host).get("paths", {})).values():
                for one in place if isinstance(place, list) else [place]:
                    self._examine(self._level(one))
            self._examine(host, "paths")
        self._examine(self._level(tree), "hosts")
        ours = {"host": "127.0.0.1", "port": self.setting.port}
        tree["listen"] = ours
        tree["access-log"] = {"path": "/dev/stdout", "format": _FORMAT}

    def _level(self, tree: Any) -> MutableMapping[str, Any]:  # noqa: ANN401 - a tree of the library
        if isinstance(tree, MutableMapping) and all(isinstance(key, str) for key in tree):
            return tree
        raise refusal(f"{self.name}: {_render(tree)} is not how h2o is configured.", "Repair the file.")

    def _examine(self, level: MutableMapping[str, Any], *nested: str) -> None:
        """Each key of one level, but for those that hold levels of their own."""
        for key in [key for key in level if key not in nested]:
            if key == REVERSE:
                self._turn(level)
            elif key == "listen":
                self._replace(level, key, f"127.0.0.1:{self.setting.port}", changes.LISTEN)
                del level[key]
            elif why := next((why for name, why in _LEFT_OUT.items() if fnmatchcase(key, name)), None):
                self._leave_out(level, key, why)
            elif "header." in key and changes.ID_HEADER in _render(level[key]).lower():
                self._leave_out(level, key, changes.REQUEST_ID)
            elif not any(fnmatchcase(key, name) for name in _KEPT):
                raise unknown(self._place(level, key), f"{key}: {_render(level[key])}")

    def _turn(self, level: MutableMapping[str, Any]) -> None:
        """Hand on to the run's gunicorn, below the same path."""
        said = level[REVERSE]
        found = _PATH.fullmatch(said) if isinstance(said, str) else None
        if found is None:
            raise refusal(f"{self._place(level, REVERSE)}: {_render(said)}: a run has one gunicorn.", "Name one URL.")
        upstream = self.setting.upstream
        address = f"[{upstream}]" if upstream.startswith("unix:") else upstream
        ours = f"http://{address}{found[1] or '/'}"
        self._replace(level, REVERSE, ours, changes.UPSTREAM)
        level[REVERSE] = ours

    def _replace(self, level: MutableMapping[str, Any], key: str, run_with: str, why: str) -> None:
        self.changes.replace(self._place(level, key), f"{key}: {_render(level[key])}", run_with, why)

    def _leave_out(self, level: MutableMapping[str, Any], key: str, why: str) -> None:
        self.changes.leave_out(self._place(level, key), f"{key}: {_render(level[key])}", why)
        del level[key]

    def _place(self, level: MutableMapping[str, Any], key: str) -> str:
        line = getattr(level, "lc", None)
        at = line.data.get(key) if line is not None and line.data else None
        return f"{self.name}, line {at[0] + 1}" if at else self.name


def _hands_on(tree: Any) -> bool:  # noqa: ANN401 - likewise
    if isinstance(tree, Mapping):
        return REVERSE in tree or any(_hands_on(one) for one in tree.values())
    return isinstance(tree, list) and any(_hands_on(one) for one in tree)


def _render(value: Any) -> str:  # noqa: ANN401 - likewise
    """A value on one line, shortened."""
    if isinstance(value, Mapping):
        said = ", ".join(f"{key}: {_render(one)}" for key, one in value.items())
        said = f"{{{said}}}"
    elif isinstance(value, list):
        said = f"[{', '.join(map(_render, value))}]"
    else:
        said = str(value)
    return said if len(said) <= _LONGEST else f"{said[:_LONGEST]}..."


_LONGEST = 120
