"""Quantities and names as Kubernetes takes them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raykit.spec import names, quantity


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("2", 2),
        ("500m", Decimal("0.5")),
        ("0.5", Decimal("0.5")),
        (".5", Decimal("0.5")),
        ("2.", 2),
        ("+1", 1),
        ("1Ki", 1024),
        ("2.5Gi", 5 * 2**29),
        ("1k", 1000),
        ("1M", 10**6),
        ("1E", 10**18),
        ("1e3", 1000),
        ("1E3", 1000),
        ("1u", Decimal("1e-6")),
    ],
)
def test_a_quantity_is_read_as_kubernetes_reads_it(text, amount):
    assert quantity.parse(text) == amount


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("1GB", '"1Gi"'),
        ("1g", '"1Gi"'),
        ("5K", '"5Ki"'),
        ("1 Gi", '"1Gi"'),
        ("4cores", '"4"'),
        ("1,5", '"1.5"'),
        ("", ""),
        ("many", ""),
        ("1e1000000000", ""),
        ("١", ""),
    ],
)
def test_what_is_no_quantity_is_refused_with_what_was_meant(text, hint):
    with pytest.raises(ValueError, match="is not a Kubernetes quantity") as raised:
        quantity.parse(text)
    assert hint in str(raised.value)


@pytest.mark.parametrize("text", ["-1", "-1Gi", "-0.1"])
def test_a_negative_quantity_is_refused(text):
    with pytest.raises(ValueError, match="is negative"):
        quantity.parse(text)


def outcome(text):
    try:
        return quantity.parse(text)
    except ValueError as error:
        return str(error)


@given(st.text(max_size=12) | st.from_regex(r"[+-]?[0-9.]{1,4}[a-zA-Z]{0,2}"))
def test_a_text_is_an_amount_from_0_up_or_a_value_error_that_quotes_it(text):
    came = outcome(text)
    assert f'"{text}"' in came if isinstance(came, str) else came >= 0


def test_amounts_are_rounded_up_as_the_scheduler_does():
    assert quantity.millicpus("1u") == 1
    assert quantity.millicpus("0.2001") == 201
    assert quantity.size("100m") == 1


@pytest.mark.parametrize(
    ("cluster", "secret"),
    [("a" * 50, "a" * 50), ("b" + "a" * 50, "a" * 50), ("abc-" + "a" * 49, "r" + "a" * 49)],
)
def test_the_tokens_secret_is_named_as_kuberay_names_it(cluster, secret):
    assert names.token_secret(cluster) == secret


@pytest.mark.parametrize("key", ["a", "a.b/c", "kubernetes.io/os", "A_b"])
def test_a_label_key_may_have_a_prefix(key):
    assert names.label_key(key) == key


@pytest.mark.parametrize("key", ["", "/a", "a/", "a/b/c", "-a", "a" * 64, "A.b/c", "a\n"])
def test_what_is_no_label_key_is_refused(key):
    with pytest.raises(ValueError, match="not a label key"):
        names.label_key(key)


@pytest.mark.parametrize("text", ["1e999", "1e19", "8Ei", "9" * 65, "1" + "0" * 70])
def test_what_kubernetes_cannot_count_is_refused(text):
    with pytest.raises(
        ValueError, match=r"more than Kubernetes can count|not a Kubernetes quantity"
    ):
        quantity.parse(text)


@pytest.mark.parametrize("text", ["1e-999", "0.0000000001", "0.5n"])
def test_what_kubernetes_would_round_away_is_refused(text):
    with pytest.raises(ValueError, match="less than Kubernetes can count"):
        quantity.parse(text)
    assert quantity.parse("0") == quantity.parse("0n") == 0


def test_the_largest_and_the_smallest_pass():
    assert quantity.parse("9223372036854775807") == 2**63 - 1
    assert quantity.parse("1n") == Decimal("1e-9")
