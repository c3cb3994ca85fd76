"""All of it for a user without any rights, where the tests are root's."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOMEBODY = 12345
PYTHON = Path("/usr/bin/python3")
SCRIPT = """
import json, os, pathlib, subprocess, sys
from bridge.sandbox.programs import Allowed, Program, Programs
from bridge.sandbox.room import Limits, Room, command
from bridge.sandbox.trial import why_not
assert why_not() == "", why_not()
told = {"uid": os.getuid()}
with Programs(Allowed(cpu_s=1, wall_s=30, processes=16)) as programs:
    told["separate"] = programs._separate
    for name, source in {
        "good": "x = 1",
        "bomb": "import os\\nwhile True:\\n    os.fork()",
        "write": "for place in ('/', '/usr', '/dev', '/etc'):\\n    open(place + '/written', 'w')",
        "root": "import os\\nassert os.getuid() != 0",
        "leave": "import os\\nos._exit(0)",
    }.items():
        told[name] = programs.run(Program(source, "")).passed
folder = pathlib.Path(sys.argv[1])
room = Room("everything", writable=(folder,), cwd=folder, limits=Limits(processes=20))
script = "echo x > mine; echo x > /var/written; for n in $(seq 40); do sleep 5 & done; echo unbounded > bounded"
told["job"] = subprocess.run(command(room, ["/bin/sh", "-c", script]), env={"PATH": "/usr/bin:/bin"}).returncode
told["left"] = sorted(path.name for path in folder.iterdir())
print(json.dumps(told))
"""


def test_an_ordinary_user_has_the_same_sandbox(tmp_path_factory: pytest.TempPathFactory) -> None:
    if os.geteuid() != 0:
        pytest.skip("whoever runs the tests is an ordinary user already")
    if not PYTHON.exists() or subprocess.run([PYTHON, "-c", "import enum; enum.StrEnum"], check=False).returncode:
        pytest.skip(f"needs {PYTHON}, 3.11 or later: the tests' own Python may be root's alone")
    folder = Path("/tmp") / f"bridge-ordinary-{os.getpid()}"
    folder.mkdir()
    try:
        os.chown(folder, SOMEBODY, SOMEBODY)
        env = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        who = {"user": SOMEBODY, "group": SOMEBODY, "extra_groups": []}
        done = subprocess.run(
            [PYTHON, "-c", SCRIPT, folder], cwd="/", env=env, capture_output=True, text=True, timeout=300, **who
        )
        if "Permission denied" in done.stderr and "bridge" in done.stderr:
            pytest.skip("the repository is in a folder that only root may read")
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
    finally:
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
    assert told.pop("left") == ["mine"], "a job's processes are counted, too"
    assert told.pop("job") != 0
    assert told == {
        "uid": SOMEBODY,
        "separate": True,
        "good": True,
        "bomb": False,
        "write": False,
        "root": True,
        "leave": False,
    }
