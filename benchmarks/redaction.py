"""How long it takes to replace secrets in a log: raykit's way against one secret after the other.

    python benchmarks/redaction.py [--rounds 5]

Both replace the same secrets in the same text, in turn, and must agree. The plain way looks for
each secret, and replaces those that are there by one regular expression. It is given less text
where it would take minutes; times are for one MB.
"""

from __future__ import annotations

import argparse
import random
import re
import statistics
import time
from collections.abc import Callable
from functools import partial

from raykit.redaction import REPLACEMENT
from raykit.redaction.finder import Finder

BYTES = 1 << 20
COUNTS = (1, 30, 100, 1_000, 10_000)
LESS = {1_000: 4, 10_000: 16}
"""The plain way gets one part in so many of the text."""
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
WORDS = ("INFO", "raylet", "worker died", "0x7ffe21a9", "/tmp/ray/session_latest", "task", "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    chance = random.Random(1)
    log = _log(chance)
    print(f"{'secrets':>8} {'raykit, ms/MB':>14} {'one by one, ms/MB':>18} {'ratio':>8}")
    for count in COUNTS:
        secrets = ["".join(chance.choices(LETTERS, k=32)) for _ in range(count)]
        text = _sown(log, secrets, chance)
        part = text[: len(text) // LESS.get(count, 1)]
        finder = Finder(secrets)
        assert finder.replaced(part, REPLACEMENT) == _one_by_one(part, secrets)
        ours, plain = [], []
        for _ in range(rounds):
            ours.append(_milliseconds(partial(finder.replaced, text, REPLACEMENT), text))
            plain.append(_milliseconds(partial(_one_by_one, part, secrets), part))
        our, other = statistics.median(ours), statistics.median(plain)
        print(f"{count:>8,} {our:>14.1f} {other:>18.1f} {our / other:>8.3f}")


def _log(chance: random.Random) -> str:
    words = chance.choices(WORDS, k=BYTES // 6)
    return " ".join(words)[:BYTES]


def _sown(log: str, secrets: list[str], chance: random.Random) -> str:
    """The log with 20 of the secrets in it, evenly."""
    step = len(log) // 20
    pieces = [log[start : start + step] for start in range(0, len(log), step)]
    return "".join(piece + chance.choice(secrets) for piece in pieces)


def _one_by_one(text: str, secrets: list[str]) -> str:
    there = sorted((secret for secret in secrets if secret in text), key=len, reverse=True)
    return re.sub("|".join(map(re.escape, there)), REPLACEMENT, text) if there else text


def _milliseconds(work: Callable[[], str], text: str) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e9 / len(text)


if __name__ == "__main__":
    main()
