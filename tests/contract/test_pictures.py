"""The pictures of the documentation: made from runs that were, and what raykit prints today."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

from raykit.app.picture import picture
from raykit.measure.records import RunsFolder

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
SCREEN = (PICTURES / "run" / "screen.txt").read_text("utf-8")
RUNS = RunsFolder(PICTURES / "run" / "record")
SVG = PICTURES / "run.svg"


def test_the_picture_of_a_run_is_the_screen_of_that_run():
    script = [sys.executable, str(ROOT / "scripts" / "render_screen.py"), "--check"]
    done = subprocess.run(script, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_screen_ends_as_raykit_prints_that_record_today():
    assert SCREEN.endswith(picture(RUNS.read("last"), 80) + "\n")


def test_the_screen_shows_what_the_job_printed():
    log = RUNS.log(RUNS.read("last").id).decode()
    own = [line for line in log.splitlines() if not line.startswith('{"raykit"')]
    own = [line for line in own if not re.match(r"Running entrypoint|\d{4}-\d\d-\d\d ", line)]
    assert own
    assert "\n".join(own) in SCREEN


def test_the_picture_is_sound_and_has_every_line_for_readers_who_do_not_see():
    root = ET.parse(SVG).getroot()
    space = "{http://www.w3.org/2000/svg}"
    assert root.get("role") == "img"
    assert root.find(f"{space}title").text
    assert root.find(f"{space}desc").text == SCREEN
    shown = [text.text for text in root.iter(f"{space}text")]
    assert shown == [line.strip() for line in SCREEN.splitlines() if line.strip()]
    assert max(map(len, SCREEN.splitlines()[:-1])) <= 80
