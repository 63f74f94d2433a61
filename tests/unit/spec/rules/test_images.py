"""An image reference passes where a kubelet takes it, by the grammar of distribution."""

import re

import pytest

from raykit.spec.rules import images

HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "text",
    [
        "ray",
        "ray:2.60.0",
        "rayproject/ray:2.60.0-py311",
        "localhost/ray",
        "localhost:5000/ray:1",
        "registry.example.com/team/app:1",
        "Registry.Example.com:5000/team/app",
        "UPPER/app",
        "[2001:db8::1]:5000/app:1",
        "127.0.0.1:5000/a__b/c-d---e/f.g:X_y.z-1",
        f"ray@sha256:{HEX}",
        f"ray:2.60.0@sha256:{HEX}",
        f"r/ray@sha512:{HEX}{HEX}",
        "a/" + "b" * 253,
    ],
)
def test_what_a_kubelet_takes_passes(text):
    assert images.reference(text) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("https://registry.example.com/app", "no scheme"),
        ("rayproject/Ray:2.60.0", 'did you mean "rayproject/ray"'),
        ("Ray", "capital letters"),
        ("a//b", "between slashes"),
        ("/a", "between slashes"),
        ("a/", "between slashes"),
        ("name:1:2", "a tag is"),
        ("name:", "a tag is"),
        ("name:" + "x" * 129, "a tag is"),
        ("name:-x", "a tag is"),
        ("name:ä", "a tag is"),
        ("a___b", "between slashes"),
        ("a..b", "between slashes"),
        ("-a", "between slashes"),
        ("a_", "between slashes"),
        ("host:port/a", "no registry"),
        ("-host.example/a", "no registry"),
        ("host..example/a", "no registry"),
        ("ray@sha256:abc", "has 64 digits"),
        (f"ray@sha256:{HEX.upper()}", "has 64 digits"),
        (f"ray@md5:{HEX}", "begins with one of"),
        ("ray@", "begins with one of"),
        ("a/" + "b" * 254, "longer than 255"),
        ("ray\n", "between slashes"),
        ("a b", "between slashes"),
        ("", "between slashes"),
    ],
)
def test_what_no_kubelet_takes_is_refused_with_the_reason(text, why):
    with pytest.raises(ValueError, match="is no image reference") as refused:
        images.reference(text)
    assert why in str(refused.value)


@pytest.mark.parametrize("text", ["ray", "Registry.Example.com:5000/team/app:1", f"r@sha256:{HEX}"])
def test_editors_get_the_same_grammar_as_one_pattern(text):
    assert re.fullmatch(images.REFERENCE, text)
    assert not re.fullmatch(images.REFERENCE, text + ":")
    assert not re.fullmatch(images.REFERENCE, "https://" + text)
