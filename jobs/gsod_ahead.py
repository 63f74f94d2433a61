"""Work a little ahead in a second thread, where a second CPU is there for it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from queue import Queue

PIECES_AHEAD = 4


def ahead(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same pieces, made by a second thread while the caller works on earlier ones.

    Inflating and hashing let go of Python's global lock. An error comes out where it belongs in
    the order; a caller that stops early leaves no thread behind.
    """
    queue: Queue[bytes | BaseException | None] = Queue(PIECES_AHEAD)
    stopped = threading.Event()

    def work() -> None:
        try:
            for piece in pieces:
                if stopped.is_set():
                    return
                queue.put(piece)
            queue.put(None)
        except BaseException as error:
            queue.put(error)

    thread = threading.Thread(target=work, name="inflate", daemon=True)
    thread.start()
    try:
        while (piece := queue.get()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            yield piece
    finally:
        stopped.set()
        while thread.is_alive():
            _empty(queue)
            thread.join(0.01)


def _empty(queue: Queue[bytes | BaseException | None]) -> None:
    while not queue.empty():
        queue.get_nowait()
