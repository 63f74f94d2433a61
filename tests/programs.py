"""Programs that tests write and start."""

import fcntl
import time


def write_program(path, text):
    """Make an executable file, and wait until no process has it open for writing.

    A program that another thread is starting has the descriptor until its exec, and until then the
    kernel refuses to start the file: "Text file busy".
    """
    path.write_text(text)
    path.chmod(0o755)
    with path.open() as file:
        while True:
            try:
                # The kernel gives this lease only while nobody writes; it ends with the descriptor.
                return fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            except BlockingIOError:
                time.sleep(0.001)
