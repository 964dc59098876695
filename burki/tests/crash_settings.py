"""The project's settings, and a handler that ends or stops the process at a named event.

    CRASH_AT    the event, such as purchase.answered
    CRASH_WITH  kill (itself, the default), stop (itself, until SIGCONT), or sleep
    CRASH_SLEEP seconds to sleep
    CRASH_AFTER how often the event passes before (0 by default)
    CRASH_ONCE  a file that the first process to get there makes: only that one crashes

Nothing in the program knows of it: events are log records.
"""

import itertools
import logging
import os
import signal
import threading
import time

from burki.settings import *  # noqa: F403
from burki.settings import LOGGING

_passed = itertools.count()


class CrashHandler(logging.Handler):
    def createLock(self) -> None:  # noqa: N802
        """No lock: a thread that sleeps here must not hold up the others."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "event", "") != os.environ["CRASH_AT"]:
            return
        if next(_passed) < int(os.environ.get("CRASH_AFTER", "0")) or not first_time():
            return
        how = os.environ.get("CRASH_WITH", "kill")
        if how == "sleep":
            time.sleep(float(os.environ["CRASH_SLEEP"]))
        else:
            # To this thread: sent to the process, it would reach another one first, and this one
            # would go on for some milliseconds.
            number = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}[how]
            signal.pthread_kill(threading.get_ident(), number)


def first_time() -> bool:
    marker = os.environ.get("CRASH_ONCE")
    if not marker:
        return True
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


if os.environ.get("CRASH_AT"):
    LOGGING["handlers"]["crash"] = {"class": f"{__name__}.CrashHandler"}
    LOGGING["loggers"]["burki.events"] = {"handlers": ["crash"], "level": "INFO"}
