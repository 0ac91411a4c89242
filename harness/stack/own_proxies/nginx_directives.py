"""nginx's directives by what a run does with them. One that stands nowhere here is refused."""

from __future__ import annotations

from collections.abc import Mapping

from harness.stack.own_proxies.changes import CACHE, LIMIT, LOGS, NO_TLS, NOT_OUTSIDE, OTHER_SERVICE, TWICE, USER

LEFT_OUT: Mapping[str, str] = {
    "daemon": "the run watches the process",
    "master_process": "the run watches the process",
    "user": USER,
    "worker_priority": USER,
    "pid": NOT_OUTSIDE,
    "lock_file": NOT_OUTSIDE,
    "working_directory": NOT_OUTSIDE,
    "*_temp_path": NOT_OUTSIDE,
    "proxy_store*": NOT_OUTSIDE,
    "load_module": "the harness can't know what a module does",
    "env": "no variables come into a run",
    "error_log": LOGS,
    "access_log": LOGS,
    "log_format": LOGS,
    "open_log_file_cache": LOGS,
    "ssl": NO_TLS,
    "ssl_*": NO_TLS,
    "proxy_ssl_*": NO_TLS,
    "http2*": NO_TLS,
    "http3*": NO_TLS,
    "quic*": NO_TLS,
    "resolver*": OTHER_SERVICE,
    "proxy_bind": OTHER_SERVICE,
    "limit_req*": LIMIT,
    "limit_conn*": LIMIT,
    "proxy_cache": CACHE,
    "proxy_cache_[!b]*": CACHE,
    "mirror*": TWICE,
    "auth_request*": TWICE,
}
"""Name, with wildcards, -> why it is left out."""

KEPT = (
    # blocks
    *("http", "events", "server", "location", "upstream", "if", "map", "geo", "split_clients", "limit_except", "types"),
    # the process
    *("worker_processes", "worker_rlimit_nofile", "worker_cpu_affinity", "worker_shutdown_timeout", "pcre_jit"),
    *("timer_resolution", "thread_pool", "worker_connections", "multi_accept", "use", "accept_mutex*"),
    # HTTP
    *("absolute_redirect", "aio", "chunked_transfer_encoding", "client_*", "connection_pool_size", "default_type"),
    *("directio", "etag", "if_modified_since", "ignore_invalid_headers", "internal", "keepalive*", "large_client_*"),
    *("lingering_*", "log_not_found", "log_subrequest", "max_ranges", "merge_slashes", "msie_*", "open_file_cache*"),
    *("output_buffers", "port_in_redirect", "postpone_output", "recursive_error_pages", "request_pool_size"),
    *("reset_timedout_connection", "root", "alias", "index", "try_files", "satisfy", "send_*", "sendfile*"),
    *("server_name*", "server_tokens", "subrequest_output_buffer_size", "tcp_nodelay", "tcp_nopush", "types_hash_*"),
    *("underscores_in_headers", "variables_hash_*", "map_hash_*", "error_page", "limit_rate*"),
    # what other modules of nginx itself do to requests and answers
    *("break", "return", "rewrite", "rewrite_log", "set", "uninitialized_variable_warn", "add_header", "add_trailer"),
    *("expires", "gzip*", "gunzip*", "charset*", "override_charset", "source_charset", "sub_filter*", "allow", "deny"),
    *("auth_basic*", "autoindex*", "stub_status", "valid_referers", "referer_hash_*", "set_real_ip_from"),
    *("real_ip_*", "empty_gif"),
    # the way to gunicorn
    *("proxy_*", "least_conn", "ip_hash", "hash", "random", "zone"),
)
"""Names, with wildcards, of what is run as it is."""

FREE_BLOCKS = ("map", "geo", "split_clients", "types")
"""Blocks whose lines are no directives."""
