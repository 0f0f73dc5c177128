"""How many connections a run of ingest may hold."""

import subprocess
import sys

PROGRAM = """
import resource
from pipeline.ingest.step import allow_open_files

_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
most = 4_000 if hard == resource.RLIM_INFINITY else min(hard, 4_000)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, most))
allow_open_files()
print(resource.getrlimit(resource.RLIMIT_NOFILE) == (most, most))
"""


def test_a_run_takes_as_many_open_files_as_the_system_lets_it():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
