"""haproxy's keywords by what a run does with them. One that stands nowhere here is refused."""

from __future__ import annotations

from collections.abc import Mapping

from harness.stack.own_proxies.changes import (
    CACHE,
    LIMIT,
    LOGS,
    NO_TLS,
    NOT_OUTSIDE,
    OTHER_SERVICE,
    REQUEST_ID,
    USER,
)

SECTIONS_KEPT = ("userlist", "http-errors")
SECTIONS_LEFT_OUT: Mapping[str, str] = {
    "peers": OTHER_SERVICE,
    "resolvers": OTHER_SERVICE,
    "mailers": OTHER_SERVICE,
    "log-forward": OTHER_SERVICE,
    "fcgi-app": OTHER_SERVICE,
    "ring": LOGS,
    "cache": CACHE,
    "program": "the run starts its processes itself",
    "crt-store": NO_TLS,
    "traces": LOGS,
}
"""Whole sections, and why they are left out."""

GLOBAL_KEPT = (
    *("maxconn", "nbthread", "cpu-map", "spread-checks", "max-spread-checks", "maxpipes", "hard-stop-after"),
    *("busy-polling", "noepoll", "nopoll", "nosplice", "noreuseport", "description", "node", "thread-groups"),
)
"""Of the section ``global``; besides what begins with ``tune.``."""

LEFT_OUT: Mapping[str, str] = {
    "bind": "",
    "log": LOGS,
    "log-format": LOGS,
    "log-format-sd": LOGS,
    "error-log-format": LOGS,
    "log-tag": LOGS,
    "log-send-hostname": LOGS,
    "capture": LOGS,
    "declare": LOGS,
    "unique-id-format": REQUEST_ID,
    "unique-id-header": REQUEST_ID,
    "stats": "the run has no page of figures",
    "chroot": "the run's socket has to be reached",
    "daemon": "the run watches the process",
    "master-worker": "the run watches the process",
    "nbproc": "the run watches the process",
    "pidfile": NOT_OUTSIDE,
    "server-state-base": NOT_OUTSIDE,
    "server-state-file": NOT_OUTSIDE,
    "load-server-state-from-file": NOT_OUTSIDE,
    "localpeer": OTHER_SERVICE,
    "user": USER,
    "group": USER,
    "uid": USER,
    "gid": USER,
    "ulimit-n": USER,
    "set-dumpable": USER,
    "unix-bind": USER,
    "ca-base": NO_TLS,
    "crt-base": NO_TLS,
    "email-alert": OTHER_SERVICE,
    "source": OTHER_SERVICE,
    "rate-limit": LIMIT,
    "stick": LIMIT,
    "stick-table": LIMIT,
    "monitor-net": "the clients here would be taken for monitors",
}
"""In any section, and why it is left out."""

KEPT = (
    *("mode", "timeout", "retries", "retry-on", "balance", "hash-type", "hash-balance-factor", "maxconn", "fullconn"),
    *("backlog", "http-reuse", "http-request", "http-response", "http-after-response", "http-check", "acl"),
    *("use_backend", "default_backend", "default-server", "cookie", "dynamic-cookie-key", "compression", "errorfile"),
    *("errorfiles", "http-error", "redirect", "description", "id", "enabled", "monitor-uri", "http-send-name-header"),
    *("ignore-persist", "force-persist", "max-keep-alive-queue", "tcp-request", "tcp-response", "monitor"),
)
"""Of defaults, frontends, backends and listeners."""

REQUEST_REFUSED = (
    *("lua.", "do-resolve", "send-spoe", "use-service", "set-dst", "set-src", "set-map", "add-acl", "del-acl"),
    *("del-map", "switch-mode", "silent-drop", "wait-for-handshake"),
)
"""Actions on a request that lead elsewhere or run code."""

OPTIONS_KEPT = (
    *("http-keep-alive", "http-server-close", "httpclose", "forwardfor", "originalto", "redispatch", "httpchk"),
    *("tcp-check", "abortonclose", "http-pretend-keepalive", "http-no-delay", "http-buffer-request", "allbackups"),
    *("persist", "nolinger", "checkcache", "clitcpka", "srvtcpka", "tcpka", "contstats", "http-use-htx"),
    *(
        "splice-auto",
        "splice-request",
        "splice-response",
        "tcp-smart-accept",
        "tcp-smart-connect",
        "prefer-last-server",
    ),
    *(
        "accept-invalid-http-request",
        "accept-invalid-http-response",
        "idle-close-on-response",
        "h1-case-adjust-bogus-server",
    ),
    *("h1-case-adjust-bogus-client", "http-ignore-probes", "disable-h2-upgrade", "http-use-proxy-header"),
)
OPTIONS_LEFT_OUT = (
    *("httplog", "tcplog", "httpslog", "dontlognull", "dontlog-normal", "log-separate-errors", "log-health-checks"),
    *("logasap", "socket-stats"),
)

SERVER_FLAGS = ("check", "enabled")
SERVER_VALUES = (
    *("inter", "fastinter", "downinter", "rise", "fall", "weight", "maxconn", "maxqueue", "minconn", "slowstart"),
    *("cookie", "pool-max-conn", "pool-purge-delay", "pool-low-conn", "max-reuse", "error-limit", "observe"),
    *("on-error", "on-marked-down", "on-marked-up", "id"),
)
FLAGS_LEFT_OUT = (
    *("ssl", "no-ssl", "check-ssl", "no-check-ssl", "send-proxy", "send-proxy-v2", "send-proxy-v2-ssl", "agent-check"),
    *("send-proxy-v2-ssl-cn", "check-send-proxy", "backup", "disabled", "non-stick", "tfo", "allow-0rtt"),
    *("no-verifyhost", "force-tlsv12", "force-tlsv13", "no-sslv3", "no-tlsv10", "no-tlsv11", "no-tls-tickets"),
)
VALUES_LEFT_OUT = (
    *("ca-file", "crt", "crl-file", "sni", "check-sni", "alpn", "check-alpn", "npn", "verify", "verifyhost"),
    *("ciphers", "ciphersuites", "ssl-min-ver", "ssl-max-ver", "proto", "check-proto", "resolvers", "resolve-prefer"),
    *("resolve-opts", "resolve-net", "init-addr", "track", "port", "addr", "source", "agent-addr", "agent-port"),
    *("agent-inter", "agent-send", "namespace", "interface", "usesrc"),
)
"""Parameters of a server: what speaks of TLS, of names and of other addresses is left out."""
