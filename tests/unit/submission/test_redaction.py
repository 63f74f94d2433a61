"""Secrets never come out of a stream of bytes, however it was cut."""

from hypothesis import given
from hypothesis import strategies as st

from raykit.submission.redaction import REPLACEMENT, Redactor

TOKEN = "5f0d3c9a7b"
SECRETS = st.lists(st.text("xyz", min_size=1, max_size=5), max_size=3)
TEXTS = st.lists(st.text("xyz\n", max_size=4), max_size=20)


def redacted(chunks, secrets):
    redactor = Redactor(secrets)
    return b"".join([*(redactor.feed(chunk) for chunk in chunks), redactor.end()])


@given(SECRETS, TEXTS)
def test_no_secret_comes_out_and_chunks_make_no_difference(secrets, texts):
    chunks = [text.encode() for text in texts]
    whole = redacted([b"".join(chunks)], secrets)
    assert redacted(chunks, secrets) == whole
    assert redacted([bytes([byte]) for byte in b"".join(chunks)], secrets) == whole
    assert not any(secret.encode() in whole for secret in secrets)


@given(st.binary(), st.lists(st.integers(0, 50), max_size=8))
def test_bytes_without_a_secret_pass_unchanged(data, cuts):
    chunks, left = [], data
    for size in cuts:
        chunks.append(left[:size])
        left = left[size:]
    assert redacted([*chunks, left], [TOKEN]) == data.replace(TOKEN.encode(), REPLACEMENT)


def test_a_token_split_over_chunks_is_replaced():
    for split in range(len(TOKEN) + 1):
        chunks = [b"RAY_AUTH_TOKEN=" + TOKEN[:split].encode(), TOKEN[split:].encode() + b"\n"]
        assert redacted(chunks, [TOKEN]) == b"RAY_AUTH_TOKEN=[redacted]\n"


def test_a_secret_that_begins_another_never_leaves_the_rest_of_the_longer_one():
    assert redacted([b"abc", b"def"], ["abc", "abcdef"]) == REPLACEMENT
    assert redacted([b"abcdex"], ["abc", "abcdef"]) == REPLACEMENT + b"dex"


def test_nothing_is_held_back_but_what_could_be_a_secret():
    redactor = Redactor([TOKEN])
    assert redactor.feed(b"line\n") == b"line\n"
    assert redactor.feed(b"next 5f") == b"next "
    assert redactor.feed(b"g\n") == b"5fg\n"


def test_without_secrets_and_with_empty_ones_everything_passes():
    assert redacted([b"a", b"b"], []) == b"ab"
    assert redacted([b"a", b"b"], [""]) == b"ab"


def test_a_text_is_redacted_as_a_whole():
    assert Redactor([TOKEN]).text(f"RAY_AUTH_TOKEN={TOKEN} °") == "RAY_AUTH_TOKEN=[redacted] °"
