"""What `--data` may name, and which credentials an address may not hold."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.gsod.options import parse
from jobs.gsod.sources.address import NOAA, Where, address, without_credentials
from jobs.gsod.sources.stores import CREDENTIALS


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("https://host/a/b/", "https"),
        ("https://[::1]:8443/a", "https"),
        ("http://127.0.0.1:8000/a", "http"),
        ("http://localhost/a", "http"),
        ("http://[::1]/a", "http"),
        ("s3://noaa-gsod-pds", "s3"),
        ("gs://bucket/some/folder", "gs"),
        ("az://container/folder", "az"),
    ],
)
def test_addresses_are_kept_without_their_last_slash(word, kind):
    assert address(word) == (word.rstrip("/"), "")
    assert parse(["--data", word]).where == Where(word.rstrip("/"))
    assert Where(word).kind == kind


def test_noaa_is_the_folder_of_noaas_archives():
    assert parse(["--data", "noaa"]).where == Where(NOAA)
    assert parse(["--data", "./noaa"]).where.kind == "folder"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("ftp://host/a", "cannot be read"),
        ("file:///a", "cannot be read"),
        ("https://", "names no host"),
        ("https:///a", "names no host"),
        ("https://host:0/a", "names no host"),
        ("https://host:x/a", "is no address"),
        ("https://[::1/a", "is no address"),
        ("s3://", "names no bucket"),
        ("http://example.com/a", "is not encrypted"),
        ("http://10.0.0.1/a", "is not encrypted"),
        ("http://127.0.0.1.example.com/a", "is not encrypted"),
        ("https://jane:secret@host/a", "credentials belong"),
        ("https://host/a?sig=secret", "credentials belong"),
        ("az://container/a?sv=secret", "credentials belong"),
        ("https://host/a#secret", "credentials belong"),
        ("https://ho st/secret ", "spaces"),
    ],
)
def test_other_addresses_are_refused_without_repeating_a_secret(capsys, word, said):
    with pytest.raises(SystemExit) as ended:
        parse(["--data", word, "--years", "1980"])
    out, err = capsys.readouterr()
    assert ended.value.code == 2
    assert said in err
    assert "give two or more" in err, "every problem at once"
    if said != "spaces":
        assert "secret" not in out + err


@given(st.text(max_size=40))
def test_no_text_breaks_the_parser(rest):
    for scheme in ("https://", "s3://", ""):
        place, problem = address(f"{scheme}{rest}")
        assert bool(place) != bool(problem)


@given(st.text("ab:@/?#", max_size=30))
def test_credentials_never_remain(rest):
    shown = without_credentials(f"https://{rest}")
    assert not set("?#") & set(shown)
    assert "@" not in shown.removeprefix("https://").partition("/")[0]


def test_the_cache_is_a_folder_for_addresses_only(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parse(["--data", "noaa", "--cache", "c"]).where.cache == str(tmp_path / "c")
    for words in (["--cache", "c"], ["--data", "x", "--cache", "c"]):
        with pytest.raises(SystemExit):
            parse(words)
        assert "argument --cache" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        parse(["--data", "noaa", "--cache", "s3://bucket"])
    assert "is no folder" in capsys.readouterr().err


def test_the_tutorials_loader_reads_folders_only(capsys):
    with pytest.raises(SystemExit):
        parse(["--data", "noaa", "--method", "tutorial"])
    assert "--method tutorial reads a folder only" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["https://host/a\nb", "https://host/a\tb", " https://host/x"])
def test_characters_that_a_parser_drops_are_refused(word):
    _, problem = address(word)
    assert problem


PAGE = Path(__file__).parents[5] / "docs" / "gsod-data.md"


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_the_page_lists_the_variables_that_mean_credentials(kind):
    lines = PAGE.read_text("utf-8").splitlines()
    (row,) = [line for line in lines if line.startswith(f"| `{kind}://` | `")]
    listed = row.partition("; always")[0]
    assert set(re.findall(r"`([A-Z_]+)`", listed)) == set(CREDENTIALS[kind])
