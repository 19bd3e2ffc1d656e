"""Text that looks like a credential is hidden everywhere; all other text stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keptalive.redaction import HIDDEN, redact, shown

SECRET = "s3cr3tS3cr3t"
LETTERS = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=16)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"ghp_{SECRET}", HIDDEN),
        (f"token=gho_{SECRET}.", f"token={HIDDEN}."),
        (f"('github_pat_{SECRET}_x')", f"('{HIDDEN}')"),
        (f"Authorization: Bearer {SECRET}", f"Authorization: {HIDDEN}"),
        (f"authorization: Basic {SECRET}==\nNext", f"authorization: {HIDDEN}\nNext"),
        (
            f"{{'Authorization': 'token {SECRET}', 'A': 1}}",
            f"{{'Authorization': {HIDDEN}, 'A': 1}}",
        ),
        (f'{{"Cookie": "a={SECRET}; b=1"}}', f'{{"Cookie": {HIDDEN}}}'),
        (f"{{'Authorization': b'Bearer {SECRET}'}}", f"{{'Authorization': {HIDDEN}}}"),
        (f"Set-Cookie: a={SECRET}; Path=/", f"Set-Cookie: {HIDDEN}"),
        (f"Proxy-Authorization: Basic {SECRET}", f"Proxy-Authorization: {HIDDEN}"),
        (f"sent Bearer {SECRET} to h", f"sent Bearer {HIDDEN} to h"),
        (f"https://u:{SECRET}@h/p", f"https://{HIDDEN}@h/p"),
        (f"http+x://{SECRET}@h", f"http+x://{HIDDEN}@h"),
        (f"GET /u?access_token={SECRET}&page=2", f"GET /u?access_token={HIDDEN}&page=2"),
        (f"GET /u?page=2&token={SECRET}", f"GET /u?page=2&token={HIDDEN}"),
        (f"/u?page=2&sig={SECRET}&x=1", f"/u?page=2&sig={HIDDEN}&x=1"),
        (f"/u?X-Amz-Signature={SECRET}", f"/u?X-Amz-Signature={HIDDEN}"),
        (f"connect(password='{SECRET}')", f"connect(password={HIDDEN})"),
        (f"client_secret={SECRET}, x", f"client_secret={HIDDEN}, x"),
        (f"/callback?code={SECRET}#top", f"/callback?code={HIDDEN}"),
    ],
)
def test_a_credential_is_hidden_and_the_text_around_it_stays(text, expected):
    assert expected == redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "GET /user/repos?per_page=30&page=2",
        "https://api.github.com/user",
        "https://h/@user",
        "mail a@b.example about https://h/",
        "401 Unauthorized: the token is not accepted",
        "/home/u/lookalike-ca.pem",
        "exit code=2, at_most=1, passes=3, monkey=3",
    ],
)
def test_text_without_a_credential_stays_as_it_is(text):
    assert text == redact(text)


@pytest.mark.parametrize("prefix", ["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"])
@given(token=LETTERS, before=st.sampled_from(["", " ", "'", "=", ":", "\n"]))
def test_every_kind_of_github_token_is_hidden(prefix, token, before):
    assert token not in redact(f"{before}{prefix}{token}")


@given(st.text())
def test_redacting_twice_is_the_same_as_once(text):
    once = redact(text)
    assert once == redact(once)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://u:p@ss@host/x", "http://[hidden]@host/x"),
        ("http://u:p'w@host", "http://[hidden]@host"),
        ("x%3Dghp_abcdef123456", "x%3D[hidden]"),
        ("token_ghp_abcdef123456", "token_[hidden]"),
        ("Basic authentication", "Basic authentication"),
    ],
)
def test_a_credential_in_an_unusual_place_is_hidden_and_prose_stays(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Linux, 2 processors", "Linux, 2 processors"),
        ("[::1]:80 and fe80::1", "[::1]:80 and fe80::1"),
        ("3\n::error::hi", "3 ::error::hi"),
        ("\n::error::hi", " : :error::hi"),
        ("##[error]hi", "# #[error]hi"),
        ("a\x1b[31mb\u202ec", r"a\x1b[31mb\u202ec"),
        ("ghp_" + "a" * 36, "[hidden]"),
    ],
)
def test_untrusted_text_becomes_one_harmless_line(text, expected):
    assert expected == shown(text)
