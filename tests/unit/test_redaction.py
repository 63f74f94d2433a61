"""Secrets never come out: not of a stream of bytes, however it was cut, nor of a text or JSON."""

import json
import re
import time
from types import SimpleNamespace
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from raykit import redaction
from raykit.endpoint import Endpoint
from raykit.redaction import Redactor, finder, known, learn, redacted
from raykit.redaction.finder import Finder, NotRedactedError

REPLACEMENT = redaction.REPLACEMENT.encode()

TOKEN = "5f0d3c9a7b"
SECRETS = st.lists(st.text("xyz", min_size=1, max_size=5), max_size=3)
TEXTS = st.lists(st.text("xyz\n", max_size=4), max_size=20)


def streamed(chunks, secrets):
    redactor = Redactor(lambda: secrets)
    return b"".join([*(redactor.feed(chunk) for chunk in chunks), redactor.end()])


@given(SECRETS, TEXTS)
def test_no_secret_comes_out_and_chunks_make_no_difference(secrets, texts):
    chunks = [text.encode() for text in texts]
    whole = streamed([b"".join(chunks)], secrets)
    assert streamed(chunks, secrets) == whole
    assert streamed([bytes([byte]) for byte in b"".join(chunks)], secrets) == whole
    assert not any(secret.encode() in whole for secret in secrets)


WORDS = st.lists(st.text("ab\xe9", min_size=1, max_size=20), min_size=1, max_size=12)


@given(st.lists(st.text("ab\xe9", max_size=12), max_size=12).map("".join), WORDS)
def test_few_and_many_secrets_are_found_as_by_a_regular_expression(text, secrets):
    longest_first = sorted(secrets, key=len, reverse=True)
    places = [found.span() for found in re.finditer("|".join(longest_first), text)]
    assert list(Finder(secrets).spans(text)) == places
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finder, "FEW", 0)
        assert list(Finder(secrets).spans(text)) == places


@given(st.lists(st.text("ab", min_size=4, max_size=30), min_size=1), st.data())
def test_a_secret_of_many_is_found_at_every_place_of_a_long_text(secrets, data):
    before = data.draw(st.integers(0, 40))
    secret = data.draw(st.sampled_from(secrets))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finder, "FEW", 0)
        patch.setattr(finder, "BLOCK", 3)
        shown = Finder(secrets).replaced("-" * before + secret + "-", "*")
    assert not any(one in shown for one in secrets)


@given(SECRETS, TEXTS)
def test_of_many_secrets_none_comes_out_of_a_stream_either(secrets, texts):
    chunks = [text.encode() for text in texts]
    few = streamed(chunks, secrets)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finder, "FEW", 0)
        assert streamed(chunks, secrets) == few


@pytest.mark.parametrize("few", [0, finder.FEW])
def test_what_is_not_redacted_in_time_is_not_given_out(monkeypatch, few):
    monkeypatch.setattr(finder, "FEW", few)
    learn(TOKEN)
    with pytest.raises(NotRedactedError, match="no time"):
        redacted({"a": ["some text"]}, deadline=time.monotonic() - 1)


def test_time_runs_out_within_one_text_that_is_full_of_secrets(monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr(finder, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    for few in (0, 50):
        monkeypatch.setattr(finder, "FEW", few)
        secrets = ["a" * size for size in range(5, 30)]
        with pytest.raises(NotRedactedError):
            Finder(secrets).replaced("a" * 1000 + "b", "*", deadline=next(clock) + 5)


def test_secrets_that_begin_with_one_another_by_the_thousand_are_found_at_their_longest():
    secrets = [f"{'a' * size}b" for size in range(8, 3000)] + ["a" * 9]
    chained = Finder(secrets)
    assert chained.replaced(f"{'a' * 2000}b.{'a' * 2000}", "*") == f"*.{'*' * 222}aa"
    nested = Finder("x" * size for size in range(8, 3000))
    assert nested.replaced(f"y{'x' * 2500}y{'x' * 7}", "*") == f"y*y{'x' * 7}"


def test_a_head_cannot_teach_as_many_secrets_as_it_likes(monkeypatch):
    monkeypatch.setattr(redaction, "MOST_FORMS", 20)
    variables = {f"TOKEN_{number}": f"hidden-{number:04}" for number in range(30)}
    with pytest.raises(NotRedactedError, match="too many"):
        redaction.learn_from({"env_vars": variables})
    with pytest.raises(NotRedactedError, match="too many"):
        redaction.learn_from({"env_vars": {"TOKEN": "line-of-it\n" * 30}})
    assert known() == ()


@given(st.binary(), st.lists(st.integers(0, 50), max_size=8))
def test_bytes_without_a_secret_pass_unchanged(data, cuts):
    chunks, left = [], data
    for size in cuts:
        chunks.append(left[:size])
        left = left[size:]
    assert streamed([*chunks, left], [TOKEN]) == data.replace(TOKEN.encode(), REPLACEMENT)


def test_a_token_split_over_chunks_is_replaced():
    for split in range(len(TOKEN) + 1):
        chunks = [b"RAY_AUTH_TOKEN=" + TOKEN[:split].encode(), TOKEN[split:].encode() + b"\n"]
        assert streamed(chunks, [TOKEN]) == b"RAY_AUTH_TOKEN=[redacted]\n"


def test_a_secret_that_begins_another_never_leaves_the_rest_of_the_longer_one():
    assert streamed([b"abc", b"def"], ["abc", "abcdef"]) == REPLACEMENT
    assert streamed([b"abcdex"], ["abc", "abcdef"]) == REPLACEMENT + b"dex"


def test_nothing_is_held_back_but_what_could_be_a_secret():
    redactor = Redactor(lambda: [TOKEN])
    assert redactor.feed(b"line\n") == b"line\n"
    assert redactor.feed(b"next 5f") == b"next "
    assert redactor.feed(b"g\n") == b"5fg\n"


def test_without_secrets_and_with_empty_ones_everything_passes():
    assert streamed([b"a", b"b"], []) == b"ab"
    assert streamed([b"a", b"b"], [""]) == b"ab"


def test_a_secret_learned_while_a_stream_runs_is_replaced_from_there_on():
    redactor = Redactor()
    assert redactor.feed(b"the-first the-second\n") == b"the-first the-second\n"
    learn("the-first")
    assert redactor.feed(b"the-first the-second\n") == b"[redacted] the-second\n"
    Endpoint("http://127.0.0.1", secrets=("the-second",))
    assert redactor.feed(b"the-first the-second\n") == b"[redacted] [redacted]\n"


def test_texts_and_json_data_are_cleaned_at_every_depth():
    learn(TOKEN)
    text = f"RAY_AUTH_TOKEN={TOKEN} °"
    assert redacted(text) == "RAY_AUTH_TOKEN=[redacted] °"
    data = {"a": [text, 1, None, {"b": (text,)}], TOKEN: True}
    clean = "RAY_AUTH_TOKEN=[redacted] °"
    assert redacted(data) == {"a": [clean, 1, None, {"b": (clean,)}], "[redacted]": True}


AWKWARD = ["first-line-of\nsecond-line-of", 'quo"te\\d', "päss wörd+/=", "tab\tbed", " padded-one "]


@pytest.mark.parametrize("secret", AWKWARD)
def test_a_secret_is_known_in_every_form_that_an_error_may_show(secret):
    learn(secret)
    forms = [secret, repr(secret), repr(secret.encode())[2:-1], json.dumps(secret), quote(secret)]
    forms = [form for form in forms if form.isascii() or "ä" in form]
    for form in [*forms, *secret.splitlines()]:
        shown = redacted(f"Illegal header value Bearer {form}!")
        assert not any(part in shown for part in secret.split() if len(part) > 3), form


@given(st.text(min_size=redaction.SHORTEST), st.text(), st.text())
def test_no_text_holds_a_secret_whatever_surrounds_it(secret, before, after):
    assume(len(secret.strip()) >= redaction.SHORTEST and secret not in redaction.REPLACEMENT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redaction, "_known", ())
        learn(secret)
        shown = redacted(before + secret + after)
    assert all(secret not in part for part in shown.split(redaction.REPLACEMENT))


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("at http://user:pass@host:80/a", "at http://[redacted]@host:80/a"),
        (
            "index-url https://s3cr3t@pypi.example/x, y",
            "index-url https://[redacted]@pypi.example/x, y",
        ),
        ("oci://host/a@sha256:12", "oci://host/a@sha256:12"),
        ("mail me@host or see http://host/?q=a@b", "mail me@host or see http://host/?q=a@b"),
        ("no answer from 'http://a:b@c@[::1]:1'", "no answer from 'http://[redacted]@[::1]:1'"),
    ],
)
def test_an_address_loses_its_user_and_password(text, clean):
    assert redacted(text) == clean


def test_what_is_too_short_to_guard_anything_is_no_secret():
    learn("a", "", "abc", "  \n  ")
    assert known() == ()
    assert redacted("a b abc") == "a b abc"


def test_a_text_of_lone_surrogates_passes():
    learn("to\udcffken")
    assert redacted("\ud800 to\udcffken") == "\ud800 [redacted]"
    assert Redactor().feed(b"x\n") == b"x\n"


def test_variables_whose_names_say_that_they_are_secret_are_learned():
    variables = {
        "DB_PASSWORD": "correct-horse",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI",
        "OPENAI_API_KEY": "sk-0123456789",
        "TOKEN_SHORT": "true",
        "PATH": "/usr/bin:/bin",
        "MONKEY": "banana-banana",
        "A_TOKEN": None,
    }
    redaction.learn_from({"env_vars": variables})
    hidden = ["correct-horse", "wJalrXUtnFEMI", "sk-0123456789"]
    assert [redacted(text) for text in hidden] == [redaction.REPLACEMENT] * 3
    assert redacted("true /usr/bin:/bin banana-banana") == "true /usr/bin:/bin banana-banana"
