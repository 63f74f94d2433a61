"""Each form that raykit prints for a RayCluster is read again; odd context names included."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raykit.errors import UsageError
from raykit.kube.reference import Reference, narrowed, parse

NAMES = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)


@given(name=NAMES, namespace=NAMES, context=st.text(min_size=1))
def test_the_printed_form_is_read_again_whatever_the_context_is_called(name, namespace, context):
    reference = Reference(name, namespace, context)
    assert parse(str(reference), "--on") == reference


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("small", Reference("small")),
        ("ray/small", Reference("small", "ray")),
        (
            "arn:aws:eks:eu-west-1:1:cluster/prod:ray/small",
            Reference("small", "ray", "arn:aws:eks:eu-west-1:1:cluster/prod"),
        ),
        ("team/a:b:ray/small", Reference("small", "ray", "team/a:b")),
    ],
)
def test_three_forms_name_a_cluster(text, reference):
    assert parse(text, "--on") == reference


@given(st.text())
def test_any_other_text_is_wrong_usage(text):
    try:
        reference = parse(text, "--on")
    except UsageError:
        return
    assert str(reference) == text


@pytest.mark.parametrize(
    "text",
    ["", "Small", "/small", "a/", "a:/b", ":a/b", "../small", "a b", "localhost:8265", "x?y"],
)
def test_what_can_be_no_cluster_is_refused_with_the_forms(text):
    with pytest.raises(UsageError, match="names no cluster") as refused:
        parse(text, "--on")
    assert "CONTEXT:NAMESPACE/NAME" in refused.value.next


@pytest.mark.parametrize(
    "text", ["me:s3cret@host:8265", "//me:s3cret@host", "http:/me:s3cret@host/x", "me:s3/cret@host"]
)
def test_a_password_in_an_address_without_a_scheme_is_not_shown(text):
    with pytest.raises(UsageError, match="names no cluster") as refused:
        parse(text, "--on")
    assert "s3" not in str(refused.value.as_dict())
    assert "[redacted]@host" in refused.value.what


def test_an_address_without_a_scheme_is_told_what_it_lacks():
    with pytest.raises(UsageError) as refused:
        parse("localhost:8265", "--on")
    assert "http://" in refused.value.next


@pytest.mark.parametrize(("context", "namespace"), [("other", None), (None, "other")])
def test_options_that_contradict_the_name_are_refused(context, namespace):
    with pytest.raises(UsageError, match="contradicts"):
        narrowed(Reference("small", "ray", "prod"), context, namespace)


def test_options_complete_a_name():
    assert narrowed(Reference("small"), "prod", "ray") == Reference("small", "ray", "prod")
    with pytest.raises(UsageError, match="can be no namespace"):
        narrowed(Reference("small"), None, "a/../b")
