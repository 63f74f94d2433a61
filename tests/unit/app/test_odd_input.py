"""No word, variable, file or folder name ends in exit 1, which says that raykit has a bug.

Property-based: every place of the command line that takes free text gets any text that an operating
system can hand over, bytes that are not UTF-8 (as lone surrogates) and control characters included.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from raykit.app.main import main
from raykit.errors import EXIT_CODES

EXAMPLES = 20
NOBODY = "http://127.0.0.1:1"
"""Nothing listens there, so that what passes every check ends with 6 and starts nothing."""

SUBMIT = ("submit", "fib", "--on", NOBODY)
PLACES = [
    ("runs", "show"),
    ("runs", "--since"),
    ("runs", "--job"),
    ("runs", "export"),
    ("runs", "export", "--output-file"),
    ("runs", "import"),
    ("runs", "import", "--from-cluster", "--context"),
    ("runs", "prune", "--older-than"),
    ("runs", "prune", "--keep"),
    ("compare", "last"),
    ("attach",),
    ("attach", "--on", NOBODY),
    ("logs", "--on", NOBODY),
    ("stop", "--on", NOBODY),
    ("ps", "--on"),
    ("ps", "--context"),
    ("ps", "--on", "x", "--namespace"),
    ("submit", "--on", NOBODY),
    ("submit", "--on", NOBODY, "--entrypoint", "--"),
    (*SUBMIT, "--"),
    *((*SUBMIT, option) for option in ("--id", "--env", "--metadata", "--pip", "--timeout")),
    *((*SUBMIT, option) for option in ("--working-dir", "--env-file", "--runtime-env")),
    ("validate", "-f"),
    ("render", "-f"),
    ("render", "-o"),
    ("down", "--on", "local"),
    ("data", "list", "--data"),
    ("data", "verify", "--data", ".", "1980", "--country"),
    (),
    ("--",),
]
ODD = [
    "\udcff", "\x1b[2J", "a\nb", "\ufeff", "[/x]", "{}", "%s", "$HOME", "~", "~nobody/x", "-", "--",
    "=", "a=", "=a", "../../x", "/", ".", "last~99999999999", "http://",
    "http://user:pw@127.0.0.1:1/", "1e999", "nan", "-1", "é" * 100, "\u202e", "'", '"',
    ":", "a:b/c", "a/b/c/d",
]  # fmt: skip
texts = st.sampled_from(ODD) | st.text(st.characters(exclude_characters="\0"), max_size=40)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder of our own without clusters and heads; streams and signals stay pytest's."""
    folder = tmp_path_factory.mktemp("odd")
    (folder / "empty").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder / "empty")
        patch.setattr("signal.signal", lambda *_: None)
        patch.setattr(sys, "excepthook", sys.excepthook)
        patch.setenv("HOME", str(folder))
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        patch.setenv("KUBECONFIG", str(folder / "none"))
        patch.setenv("RAYKIT_RUNS", str(folder / "runs"))
        patch.delenv("RAYKIT_ON", raising=False)
        yield folder


def run(words):
    """Exit code and what was said; a bug is raised."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", "replace") for _ in range(2))
    streams = contextlib.redirect_stdout(out), contextlib.redirect_stderr(err)
    with streams[0], streams[1], pytest.raises(SystemExit) as ended:
        main(words)
    out.flush()
    err.flush()
    said = [stream.buffer.getvalue().decode(errors="replace") for stream in (out, err)]
    return ended.value.code or 0, *said


@pytest.mark.parametrize("place", PLACES, ids=" ".join)
@settings(max_examples=EXAMPLES)
@given(word=texts)
def test_no_word_is_a_bug(world, place, word):
    # The root folder would be walked from end to end.
    assume("--working-dir" not in place or word.strip("/.~"))
    code, _, err = run([*place, word])
    assert code in set(EXIT_CODES) - {1}
    assert not set(err) & set(map(chr, range(0x20))) - {"\n", "\t"}
    assert "Traceback" not in err


@settings(max_examples=EXAMPLES)
@given(words=st.lists(texts | st.sampled_from(["runs", "show", "-o", "json", "submit", "--on"])))
def test_no_list_of_words_is_a_bug(world, words):
    if "--on" not in words and words[:1] == ["submit"]:
        words = ["submit", "--on", NOBODY, *words[1:]]
    assert run(words)[0] in set(EXIT_CODES) - {1}


def by_bytes(line, cwd, **env):
    """raykit as a shell starts it, where bytes need not be text."""
    words = [os.fsencode(sys.executable), b"-P", b"-m", b"raykit", *line]
    done = subprocess.run(
        words,
        capture_output=True,
        cwd=cwd,
        env={**os.environb, **{os.fsencode(k): v for k, v in env.items()}},
    )
    return done.returncode, done.stderr.decode("utf-8", "replace")


@pytest.mark.parametrize(
    ("line", "env", "named"),
    [
        ([b"runs", b"show", b"\xff\xfe"], {}, r"argument 3: '\udcff\udcfe'"),
        ([b"submit", b"--entrypoint", b"--", b"echo", b"\x80"], {}, r"argument 5: '\udc80'"),
        ([b"runs"], {"RAYKIT_RUNS": b"/tmp/\xff"}, r"RAYKIT_RUNS: '/tmp/\udcff'"),
        ([b"ps"], {"RAYKIT_ON": b"\xff"}, r"RAYKIT_ON: '\udcff'"),
    ],
)  # fmt: skip
def test_bytes_that_are_not_utf8_are_refused_by_name(tmp_path, line, env, named):
    code, err = by_bytes(line, tmp_path, **env)
    assert code == 2
    assert err.startswith(f"error: raykit reads and writes UTF-8 only\n  {named}\n")


def test_a_folder_whose_name_is_not_utf8_is_refused(tmp_path):
    folder = os.fsencode(tmp_path) + b"/\xff"
    Path(os.fsdecode(folder)).mkdir()
    code, err = by_bytes([b"runs"], folder)
    assert (code, "the current folder" in err) == (2, True)


def test_a_folder_that_is_gone_is_4(tmp_path):
    line = f'mkdir gone; cd gone; rmdir ../gone; exec "{sys.executable}" -P -m raykit runs'
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 4
    assert done.stderr.startswith("error: the current folder was deleted")


def test_other_variables_may_hold_any_bytes(world):
    assert by_bytes([b"runs"], world, OTHER=b"\xff\xfe")[0] == 0


@settings(max_examples=EXAMPLES)
@given(text=st.text(st.characters()), number=st.sampled_from([0, 1, 2]))
def test_a_record_of_any_texts_is_listed_and_shown(world, text, number):
    folder = world / "runs" / "20260101-000000-x-0000"
    folder.mkdir(parents=True, exist_ok=True)
    record = {
        "schema": 1,
        "id": folder.name,
        "submission_id": text,
        "job": {"name": text, "arguments": [text], "entrypoint": [text]},
        "target": {"chosen": text, "kind": text},
        "versions": {"ray": text},
        "machine": {"cpu_model": text},
        "started": 1.0,
        "status": text,
        "message": text,
        "results": [{"data": [text, {text: text}, text][number]}],
        "notes": [text],
    }
    (folder / "record.json").write_text(json.dumps(record), "utf-8")
    for words in (["runs"], ["runs", "show", "last"], ["runs", "show", "last", "-o", "json"]):
        code, out, _ = run(words)
        assert code in (0, 7)
        assert "\x1b" not in out


@pytest.mark.parametrize(
    "words",
    [
        ["submit", "--entrypoint", "--working-dir", "LONG", "--", "echo"],
        ["validate", "-f", "LONG"],
        ["validate", "LONG"],
        ["render", "-f", "LONG"],
        ["render", "-f", "LONG", "--output-dir", "LONG"],
        ["up", "-f", "LONG"],
        ["submit", "./LONG.py"],
        ["bench", "fib", "-f", "LONG"],
    ],
    ids=" ".join,
)
def test_a_path_that_no_system_takes_is_wrong_usage(world, words):
    code, _, _ = run([word.replace("LONG", "a" * 400) for word in words])
    assert code == 2
