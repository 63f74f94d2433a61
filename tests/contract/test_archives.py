"""What `raykit data verify` calls whole, the job gsod reads, and nothing else.

Both run as their own processes: the command line and the jobs do not know each other.
"""

import gzip
import io
import json
import random
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "jobs" / "data" / "gsod"
WHOLE = (SAMPLE / "2020.tar.gz").read_bytes()
TAR = gzip.decompress(WHOLE)


def added(*members):
    """The sample's archive with further members."""
    held = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(TAR)) as old, tarfile.open(fileobj=held, mode="w") as new:
        for member in old:
            new.addfile(member, old.extractfile(member))
        for name, content in members:
            header = tarfile.TarInfo(name)
            header.size = len(content)
            new.addfile(header, io.BytesIO(content))
    return gzip.compress(held.getvalue(), mtime=0)


def flipped(seed):
    """The sample with one bit changed."""
    where = random.Random(seed).randrange(len(WHOLE) * 8)
    damaged = bytearray(WHOLE)
    damaged[where // 8] ^= 1 << where % 8
    return bytes(damaged)


def of_text(old, new):
    """The sample with other text in it, its checksum right again."""
    return gzip.compress(TAR.replace(old, new, 1), mtime=0)


ARCHIVES = {
    "whole": (WHOLE, None),
    "macOS metadata": (added(("._72429793812.csv", b"\0\x05\x16\x07" + bytes(99))), None),
    "the format of before 2018": (
        added(("010010-99999-2020.op.gz", gzip.compress(b"STN--- WBAN   YEARMODA"))),
        None,
    ),
    "damage in the format of before 2018": (
        added(("010010-99999-2020.op.gz", gzip.compress(b"STN--- WBAN   YEARMODA\n010010 9"))),
        "010010-99999-2020.op.gz:2: not a line of the format that NOAA had until 2018",
    ),
    "a Parquet member": (added(("a.csv", b"PAR1" + bytes(99))), "is a Parquet file, not CSV"),
    "a web page": (b"<!DOCTYPE html><html></html>", "a web page saved under this name"),
    "a zip archive": (b"PK\x03\x04" + bytes(99), "a zip archive"),
    "a plain tar": (TAR, "a tar archive without compression"),
    "no tar inside": (gzip.compress(b"not a tar"), ""),
    "an empty tar": (gzip.compress(bytes(10240), mtime=0), "holds no station's file"),
    "no columns": (of_text(b'"STATION"', b'"NOTHING"'), ""),
    "an open quotation mark": (of_text(b'","2020-01-02"', b'"2020-01-02"'), ""),
    "cut": (WHOLE[:-9], ""),
    "bytes behind the end": (WHOLE + b"x", ""),
    "empty": (b"", ""),
    **{f"bit flip {seed}": (flipped(seed), "") for seed in range(6)},
}


def run(*words, cwd):
    return subprocess.run([sys.executable, *words], cwd=cwd, capture_output=True, text=True)


@pytest.mark.parametrize(("archive", "named"), ARCHIVES.values(), ids=ARCHIVES)
def test_verify_and_the_job_judge_every_archive_alike(tmp_path, archive, named):
    (tmp_path / "2020.tar.gz").write_bytes(archive)
    shutil.copy(SAMPLE / "2024.tar.gz", tmp_path)
    years = ("--years", "2020", "2024", "--data", str(tmp_path))
    job = run("-P", ROOT / "jobs", "gsod", "--method", "local", *years, cwd=tmp_path)
    verified = run(
        *("-P", "-m", "raykit", "data", "verify", "2020", "--data", tmp_path, "-o", "json"),
        cwd=tmp_path,
    )
    assert (verified.returncode, job.returncode) == ((0, 0) if named is None else (9, 9)), job
    (row,) = json.loads(verified.stdout)["data"]
    assert (row["error"] is None) == (named is None)
    if named:
        assert named in " ".join(row["error"]["evidence"])
        assert named in job.stderr
