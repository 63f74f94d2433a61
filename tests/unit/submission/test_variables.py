"""Variables for a job: a file is read as shells and docker read it, or refused by line."""

import contextlib
import string
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raykit.errors import UsageError
from raykit.submission import variables


@pytest.fixture
def read(tmp_path):
    """`read(text)`: the variables of a file that holds these bytes or this text."""

    def from_file(content):
        path = tmp_path / "vars"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return variables.env_file(path)

    return from_file


def refused(read, content):
    with pytest.raises(UsageError) as caught:
        read(content)
    return list(caught.value.evidence)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("# comment\n\nA=1\n", {"A": "1"}),
        ("export A=1\nexport  B=2\n", {"A": "1", "B": "2"}),
        ("export=1\nexporter=2\n", {"export": "1", "exporter": "2"}),
        ("exporter=export x\nexport A=export b\n", {"exporter": "export x", "A": "export b"}),
        ("\ufeffA=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("A='b c'\nB=\"d # e\"\nC=it's\n", {"A": "b c", "B": "d # e", "C": "it's"}),
        (
            "A=\n  B=x=y  \nC=a b\nD=http://x#y",
            {"A": "", "B": "x=y", "C": "a b", "D": "http://x#y"},
        ),
        ("A=a\x0bb\u2028c\n", {"A": "a\x0bb\u2028c"}),
        ("A=1\nA=2\n", {"A": "2"}),
        ("", {}),
    ],
)
def test_a_file_is_read_as_shells_that_only_assign(read, content, expected):
    assert read(content) == expected


def test_every_line_that_would_vanish_is_refused_by_its_number(read):
    content = "A=1\nA B=1\n1X=1\nÄ=1\nB\n=C\nexport D\nE = 1\nF='open\nG=x # y\nH='a'b'c'\n"
    assert refused(read, content) == [
        "line 2: 'A B' is not a variable name",
        "line 3: '1X' is not a variable name",
        "line 4: 'Ä' is not a variable name",
        "line 5: has no =",
        "line 6: '' is not a variable name",
        "line 7: has no =",
        "line 8: 'E ' is not a variable name",
        "line 9: the value of F has quotes inside it or only on one side",
        "line 10: the value of G holds ` #`: quote it, or drop the comment",
        "line 11: the value of H has quotes inside it or only on one side",
    ]


def test_no_value_is_shown_in_a_refusal(read):
    content = "PASSWORD hunter2\nTOKEN='hunter2\nKEY=hunter2 # mine\n"
    assert "hunter2" not in " ".join(refused(read, content))


def test_a_file_that_is_no_text_is_refused(read, tmp_path):
    assert refused(read, b"A=\xff\n") == ["it is not UTF-8: byte 3"]
    assert refused(read, b"A=" + b"x" * 300_000) == ["it is longer than 256 KiB"]
    with pytest.raises(UsageError, match="cannot be read"):
        variables.env_file(tmp_path)


@given(st.binary(max_size=100) | st.text(max_size=100).map(str.encode))
def test_no_file_ends_in_anything_but_a_refusal(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "vars"
    path.write_bytes(data)
    with contextlib.suppress(UsageError):
        found = variables.env_file(path)
        assert all(variables.ENV_NAME.fullmatch(name) for name in found)


SHELL_SAFE = string.ascii_letters + string.digits + "_./:=+-@%,"


@settings(max_examples=30)
@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).map(lambda name: f"v_{name}"),
        st.text(SHELL_SAFE, max_size=12) | st.text(SHELL_SAFE + " #'", max_size=12).map(repr),
        min_size=1,
        max_size=4,
    )
)
def test_what_is_read_is_what_a_shell_reads(tmp_path_factory, pairs):
    path = tmp_path_factory.mktemp("any") / "vars"
    lines = [f"{name}={value}" for name, value in pairs.items()]
    path.write_text("".join(f"export {line}\n" for line in lines))
    try:
        ours = variables.env_file(path)
    except UsageError:
        return
    script = f". {path}; " + "; ".join(f'printf "%s\\0" "${name}"' for name in pairs)
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True)
    assert done.stdout.split("\0")[:-1] == [ours[name] for name in pairs]


def test_words_that_are_no_pairs_are_all_named():
    with pytest.raises(UsageError) as caught:
        variables.pairs(["A=1", "B", "=C", "D=\udcff"], "--env")
    assert caught.value.evidence == ("B", "=C", "D=\\udcff")


@pytest.mark.parametrize("metadata", [{"raykit-run": "x"}, {"a": "\udcff"}, {"\0": ""}])
def test_metadata_that_ray_could_not_keep_is_refused(metadata):
    variables.check_metadata({"a": "b"})
    with pytest.raises(UsageError):
        variables.check_metadata(metadata)
