"""What the Python scripts share: sections, and lines of a transcript."""

import asyncio
import inspect
import os
import re
import time

sections = []


def section(function):
    """Makes a function a section of the transcript."""
    sections.append(function)
    return function


def say(*values):
    """Adds a line. Bare values are shown by repr, texts as they are."""
    print(*(v if isinstance(v, str) else repr(v) for v in values), flush=True)


# The sleep itself: a query that is only being parsed is active too. Other scripts may
# run at the same time, in databases of their own.
SLEEPING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"


def wait_until_a_backend_sleeps(connect):
    """Waits until one of the PostgreSQL servers runs pg_sleep. They are asked directly,
    since the view of a server shows nothing of the others."""
    connections = [connect(f"host={host} port={port}") for host, port in (s.split(":") for s in os.environ["SERVERS"].split(","))]
    for conn in connections:
        conn.autocommit = True
    end = time.monotonic() + 10
    while time.monotonic() < end:
        for conn in connections:
            cur = conn.cursor()
            cur.execute(SLEEPING)
            if cur.fetchone()[0] > 0:
                return
    say("nobody sleeps")


def run():
    """Runs all sections; what one throws is noted, and the next one runs."""
    for function in sections:
        say("## " + function.__name__.replace("_", " "))
        try:
            if inspect.iscoroutinefunction(function):
                asyncio.run(asyncio.wait_for(function(), 20))
            else:
                function()
        except BaseException as error:
            say("!! " + type(error).__name__ + ": " + re.sub(r"\s+", " ", str(error)))
