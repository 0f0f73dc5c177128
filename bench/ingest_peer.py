"""The peer's half of bench/ingest.py: lemon24/reader on the same wire. Runs in an environment of its own.

python -m venv peer && peer/bin/pip install reader==3.26 sgmllib3k
peer/bin/python bench/ingest_peer.py PORT FEEDS WORKERS     prints one JSON line
"""

import json
import resource
import sys
import tempfile
import time

from ingest_wire import address
from reader import make_reader


def cpu() -> float:
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def update(reader, workers: int) -> dict:
    cpu_at, at = cpu(), time.perf_counter()
    reader.update_feeds(workers=workers)
    return {"wall_s": time.perf_counter() - at, "cpu_s": cpu() - cpu_at}


def main() -> None:
    port, feeds, workers = (int(value) for value in sys.argv[1:4])
    with tempfile.TemporaryDirectory() as home:
        reader = make_reader(f"{home}/reader.sqlite")
        for feed in range(feeds):
            reader.add_feed(f"http://{address(feed)}:{port}/feed")
        first = update(reader, workers)
        articles = reader.get_entry_counts().total

        reader._storage.get_db().execute("update feeds set update_after = null")
        again = update(reader, workers)
    print(json.dumps({"articles": articles, "first": first, "again": again}))


if __name__ == "__main__":
    main()
