"""A user's Caddyfile (or caddy's JSON) as a run can have it.

caddy itself turns the Caddyfile into JSON, with snippets, imports and placeholders resolved. The run's configuration is
put together from our own process, logs and listener, and from the user's routes and time-outs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.core.patterns import pattern
from harness.stack.own_proxies import changes
from harness.stack.own_proxies.changes import Adapted, ChangeList, ReadFiles, no_gunicorn, refusal, unknown
from harness.stack.proxies.setting import Setting

CONFIG = "caddy.json"
MAIN_FOLDER = "/etc/caddy"
LOOKS_LIKE = pattern(
    r"^\s*(?:reverse_proxy|handle|php_fastcgi)\b|^\S.*\{$\s+\b(?:reverse_proxy|encode|tls)\b", re.MULTILINE
)

_ACCESS = "http.log.access.run"
_SERVER_KEPT = (
    *("errors", "named_routes", "read_timeout", "read_header_timeout", "write_timeout", "idle_timeout"),
    *(
        "keepalive_interval",
        "max_header_bytes",
        "trusted_proxies",
        "client_ip_headers",
        "enable_full_duplex",
        "metrics",
    ),
)
_HANDLERS_KEPT = (
    *("subroute", "reverse_proxy", "headers", "encode", "rewrite", "static_response", "file_server", "vars"),
    *("request_body", "error", "authentication", "map", "push", "invoke", "log_append", "intercept"),
)
_TRANSPORT_LEFT_OUT: Mapping[str, str] = {
    "tls": changes.NO_TLS,
    "versions": changes.NO_TLS,
    "resolver": changes.OTHER_SERVICE,
    "local_address": changes.OTHER_SERVICE,
    "forward_proxy_url": changes.OTHER_SERVICE,
    "network_proxy": changes.OTHER_SERVICE,
    "proxy_protocol": changes.OTHER_SERVICE,
}


def render_reading(program: str, config: str) -> list[str] | None:
    """The command by which caddy prints the JSON that it makes of a Caddyfile; it starts nothing for that."""
    return None if config.endswith(".json") else [program, "adapt", "--adapter", "caddyfile", "--config", config]


def render_check(program: str, config: str) -> list[str]:
    """The check of caddy itself."""
    return [program, "validate", "--config", config]


def adapt(text: str, name: str, setting: Setting, read: ReadFiles) -> Adapted:
    """See ``own_proxies.Adapter``; the text is JSON already."""
    del read
    try:
        yours = json.loads(text)
        before = _dump(yours)
        server = _find_server(yours)
    except (ValueError, AttributeError, TypeError):
        raise refusal(f"{name}: caddy makes no HTTP server of it.", "Name its proxy: --proxy.") from None
    adapter = _CaddyAdapter(setting=setting)
    adapter.note_rest(yours, server)
    return Adapted(text=_dump(adapter.adapt(server)), before=before, changes=tuple(adapter.changes.rows))


def _dump(tree: object) -> str:
    return json.dumps(tree, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _find_server(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    servers = tree.get("apps", {}).get("http", {}).get("servers", {})
    found = [one for one in servers.values() if _hands_on(one)]
    if not found:
        raise no_gunicorn("reverse_proxy")
    if len(found) > 1:
        places = ", ".join(" ".join(one.get("listen", [])) for one in found)
        raise refusal(f"several addresses hand on requests ({places}), and a run has one.", "Name a file with one.")
    server: Mapping[str, Any] = found[0]
    return server


def _hands_on(tree: object) -> bool:
    if isinstance(tree, Mapping):
        return tree.get("handler") == "reverse_proxy" or any(_hands_on(one) for one in tree.values())
    return isinstance(tree, list) and any(_hands_on(one) for one in tree)


@dataclass(kw_only=True)
class _CaddyAdapter:
    setting: Setting
    changes: ChangeList = field(default_factory=ChangeList)

    def note_rest(self, tree: Mapping[str, Any], server: Mapping[str, Any]) -> None:
        """What of the whole is not taken at all."""
        for key in ("admin", "logging", "storage"):
            if key in tree:
                why = changes.LOGS if key == "logging" else changes.NOT_OUTSIDE
                self.changes.leave_out(key, _say(tree[key]), why)
        for name, app in tree.get("apps", {}).items():
            if name != "http":
                why = changes.NO_TLS if name in ("tls", "pki") else changes.OTHER_SERVICE
                self.changes.leave_out(f"apps/{name}", _say(app), why)
        for name, one in tree["apps"]["http"]["servers"].items():
            if one is not server:
                self.changes.leave_out(f"servers/{name}", _say(one), changes.NO_GUNICORN)

    def adapt(self, server: Mapping[str, Any]) -> dict[str, Any]:
        """The run's whole configuration."""
        address = f"127.0.0.1:{self.setting.port}"
        kept: dict[str, Any] = {}
        for key, value in server.items():
            if key == "listen":
                self.changes.replace(key, " ".join(value), address, changes.LISTEN)
            elif key in _SERVER_KEPT:
                kept[key] = self._examine(value, key)
            elif key != "routes":
                self.changes.leave_out(key, _say(value), changes.LOGS if key == "logs" else changes.NO_TLS)
        kept["routes"] = list(self._sites(server.get("routes", [])))
        http = {"listen": [address], "automatic_https": {"disable": True}, "logs": {"default_logger_name": "run"}}
        return {
            "admin": {"disabled": True},
            "logging": {"logs": {"default": _log("stderr", "exclude"), "run": _log("stdout", "include")}},
            "apps": {"http": {"servers": {"run": {**kept, **http}}}},
        }

    def _sites(self, routes: list[Mapping[str, Any]]) -> Iterator[Any]:
        """The routes; the load asks at 127.0.0.1, so that the one site that hands on requests gets them all."""
        sites = [one for one in routes if _names_hosts(one) and _hands_on(one)]
        if len(sites) > 1:
            names = ", ".join(_say(one["match"]) for one in sites)
            raise refusal(f"several sites hand on requests ({names}), and a run has one.", "Name a file with one.")
        for one in routes:
            if _names_hosts(one) and not _hands_on(one):
                self.changes.leave_out(_say(one["match"]), _say(one), changes.NO_GUNICORN)
                continue
            if _names_hosts(one):
                hostless = [{key: value for key, value in match.items() if key != "host"} for match in one["match"]]
                self.changes.leave_out("match", _say(one["match"]), "the clients ask for 127.0.0.1")
                rest = {key: value for key, value in one.items() if key != "match"}
                yield self._examine(rest | ({"match": hostless} if all(hostless) else {}), "routes")
            else:
                yield self._examine(one, "routes")

    def _examine(self, tree: Any, place: str) -> Any:  # noqa: ANN401 - JSON
        """The same without what leads elsewhere; the rest as it is."""
        if isinstance(tree, list):
            kept = [one for one in tree if not (isinstance(one, str) and one.lower() == changes.ID_HEADER)]
            return [self._examine(one, place) for one in kept]
        if not isinstance(tree, Mapping):
            return tree
        handler = tree.get("handler")
        if handler is not None and handler not in _HANDLERS_KEPT:
            raise unknown(place, f"handler {handler}")
        tree = self._without_id(tree, place)
        if handler == "reverse_proxy":
            tree = self._turn(tree)
        return {key: self._examine(value, f"{place}/{key}") for key, value in tree.items()}

    def _without_id(self, tree: Mapping[str, Any], place: str) -> Mapping[str, Any]:
        named = [key for key in tree if key.lower() == changes.ID_HEADER]
        for key in named:
            self.changes.leave_out(place, f"{key}: {_say(tree[key])}", changes.REQUEST_ID)
        return {key: value for key, value in tree.items() if key not in named}

    def _turn(self, tree: Mapping[str, Any]) -> Mapping[str, Any]:
        if "dynamic_upstreams" in tree:
            raise refusal("where dynamic upstreams lead is only known to a running caddy.")
        transport = dict(tree.get("transport", {"protocol": "http"}))
        if transport.get("protocol") != "http":
            raise unknown("reverse_proxy", f"transport {transport.get('protocol')}")
        for key in [key for key in transport if key in _TRANSPORT_LEFT_OUT]:
            said = _say(transport.pop(key))
            self.changes.leave_out(f"transport/{key}", said, _TRANSPORT_LEFT_OUT[key])
        checks = {name: dict(one) for name, one in tree.get("health_checks", {}).items()}
        for key in ("port", "upstream"):
            if key in checks.get("active", {}):
                self.changes.leave_out(f"health_checks/{key}", _say(checks["active"].pop(key)), changes.OTHER_SERVICE)
        upstreams = tree.get("upstreams") or [{}]
        ours = {**upstreams[0], "dial": re.sub(r"^unix:", "unix/", self.setting.upstream)}
        self.changes.replace("upstreams", _say([one.get("dial") for one in upstreams]), ours["dial"], changes.UPSTREAM)
        rest = {"health_checks": checks} if checks else {}
        return {**tree, **rest, "transport": transport, "upstreams": [ours]}


def _names_hosts(route: Mapping[str, Any]) -> bool:
    return any("host" in match for match in route.get("match", []))


def _log(stream: str, which: str) -> dict[str, Any]:
    return {"writer": {"output": stream}, "encoder": {"format": "json"}, which: [_ACCESS]}


def _say(value: object) -> str:
    said = json.dumps(value, ensure_ascii=False)
    return said if len(said) <= _LONGEST else f"{said[:_LONGEST]}..."


_LONGEST = 120
