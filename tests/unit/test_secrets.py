"""What looks like a secret goes, whatever it stands in; what does not stays, and JSON stays JSON."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.secrets import FORMS, Redactor, is_secret_name, redact

HIDDEN = "hunter2hunter2"
TOKEN = "ghp_" + "a1" * 18
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"


@pytest.mark.parametrize(
    "text",
    [
        f"index-url = https://me:{HIDDEN}@mirror.example/simple",
        f"Failed to fetch: `https://{HIDDEN}@mirror.example/simple/x`",
        f"postgres://app:{HIDDEN}@db/shop?sslmode=require",
        f"Authorization: Bearer {HIDDEN}",
        f'{{"headers": {{"authorization": "Basic {HIDDEN}=="}}}}',
        f"password={HIDDEN}",
        f"password = '{HIDDEN}'",
        f'SECRET = "{HIDDEN}"',
        f'raw_env = ["DB_PASSWORD={HIDDEN}", "A=1"]',
        f'os.environ["STRIPE_KEY"] = "{HIDDEN}"',
        f"environ={{'DATABASE_URL': 'sqlite:///{HIDDEN}'}}",
        f"SENTRY_DSN={HIDDEN}",
        f"export MY_CREDS={HIDDEN}",
        f'{{"api_key": "{HIDDEN}"}}',
        f'{{"source": "connect(password=\\"{HIDDEN}\\")"}}',
        f"GET /?a=1&access_token={HIDDEN}&b=2 HTTP/1.1",
        f"GET /?sig={HIDDEN} HTTP/1.1",
        f"-----BEGIN RSA PRIVATE KEY-----\n{HIDDEN}\n{HIDDEN}\n-----END RSA PRIVATE KEY-----\n",
        f'{{"key": "-----BEGIN PRIVATE KEY-----\\n{HIDDEN}\\n-----END PRIVATE KEY-----\\n"}}',
        f'{{"headers": [["X-Api-Key", "{HIDDEN}"], ["a", "b"]]}}',
        f'{{"headers": [["Cookie", "sessionid={HIDDEN}"]]}}',
        f'{{"argv": ["serve", "--db-password", "{HIDDEN}", "--port", "80"]}}',
        f"Cookie: sessionid={HIDDEN}; other={HIDDEN}",
        f"secret_key = 'django-insecure-{HIDDEN}'",
        f"AccountKey={HIDDEN}==;EndpointSuffix=core",
        f"serve --password {HIDDEN} --port 80",
        f'{{"cut": "-----BEGIN PRIVATE KEY-----\\n{HIDDEN}", "b": 1}}',
    ],
)
def test_secrets_go(text: str) -> None:
    shown = redact(text)
    assert HIDDEN not in shown
    assert "[redacted]" in shown
    assert redact(shown) == shown


@pytest.mark.parametrize(
    "token",
    [
        TOKEN,
        JWT,
        "AKIA" + "Q7" * 8,
        "glpat-" + "x" * 20,
        "xoxb-123456789012-abc",
        "npm_" + "a1" * 18,
        "AIza" + "b2" * 18,
        "SG." + "c3" * 10 + "." + "d4" * 20,
    ],
)
def test_tokens_go_wherever_they_stand(token: str) -> None:
    assert token not in redact(f"the answer was {token}, which is odd")


@pytest.mark.parametrize(
    "text",
    [
        "keepalive = 2",
        "socket-deleted at 1.27 s: by worker 4711 with os.unlink",
        "        proxy.reverse.url: http://[unix:@SOCKET@]/",
        '{"at_ns": 5, "kind": "probe", "via": "proxy", "outcome": "200"}',
        "keyfile = None",
        "password: None",
        '{"token": null, "secret": true, "n": 5}',
        "https://example.org/a?b=c",
        "http://[unix:/tmp/rh-xyz/gunicorn.sock]/",
        "user@example.org asked",
        "for key, value in rows:",
        "unix:/tmp/x: connect: Connection refused",
        "gunicorn/workers/gthread.py:240 run",
        "the token bucket is empty",
        "--token is an option of another program",
        '["key", "value"]',
        '["--token-file", "x"]',
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_names_of_variables() -> None:
    assert all(map(is_secret_name, ("DB_PASS", "db_pwd", "AWS_CREDS", "SENTRY_DSN", "DATABASE_URL", "X_TOKEN", "KEY")))
    assert not any(map(is_secret_name, ("PATH", "HOME", "LANG", "URL", "WORKERS")))


def test_each_kind_is_told() -> None:
    kinds: list[str] = []
    redactor = Redactor(told=kinds.append)
    redactor.redact(b"https://a:b@c/?token=xyz")
    assert kinds == ["a user and password in an address", "a key in an address"]


@pytest.mark.parametrize(("parts", "form"), [(parts, form) for _, parts, form in FORMS])
@given(data=st.data())
def test_nothing_has_a_form_without_what_is_looked_for_first(
    parts: tuple[bytes, ...], form: re.Pattern[bytes], data: st.DataObject
) -> None:
    text = data.draw(st.from_regex(re.compile(form.pattern, form.flags)))
    assert any(part in text.lower() for part in parts)


PIECES = [TOKEN, f"password={HIDDEN}", "-----BEGIN PRIVATE KEY-----", '["X-Api-Key", "', f"//{HIDDEN}@", "\n", '"', ","]


@given(text=st.lists(st.sampled_from(PIECES) | st.text(max_size=20), max_size=6).map("".join))
def test_a_text_is_as_the_sum_of_its_lines(text: str) -> None:
    """The text as a whole is looked at first: whatever the lines lose, it loses."""
    kinds: list[str] = []
    redactor = Redactor(told=kinds.append)
    lines = text.encode("utf-8", "surrogatepass").splitlines(keepends=True)
    assert redact(text) == b"".join(map(redactor.redact, lines)).decode("utf-8", "surrogatepass")


KEYS = ["password", "A_KEY", "token", "x", "b_URL", '"', "api_key="]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["password", "A_KEY", "token", "x", "b_URL", '"', "api_key="]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(json_values)
def test_json_stays_json(value: object) -> None:
    for text in (
        json.dumps(value),
        json.dumps({"said": json.dumps(value)}),
        json.dumps({"said": f"password={value!r}"}),
    ):
        json.loads(redact(text))
