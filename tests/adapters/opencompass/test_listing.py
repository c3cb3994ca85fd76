"""The shipped listing is what the real package has: made anew in its environment, it comes out the same."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from bridge.adapters.opencompass import catalog

pytestmark = pytest.mark.env

SCRIPT = Path(__file__).parents[3] / "scripts" / "list_opencompass.py"
RESOLVE = """
import importlib.util, json, logging, sys
sys.path.insert(0, sys.argv[1])
from ocbridge import torch_absent
if importlib.util.find_spec("torch") is None:
    torch_absent.install()
logging.disable(logging.CRITICAL)
from mmengine.config import Config
wrong = []
for module, variables, abbrs in json.load(open(sys.argv[2])):
    spec = importlib.util.find_spec("opencompass")
    path = spec.submodule_search_locations[0] + "/configs/datasets/" + module.replace(".", "/") + ".py"
    try:
        loaded = Config.fromfile(path, format_python_code=False).to_dict()
        found = [entry.get("abbr") or entry["path"].replace("/", "_") for name in variables for entry in loaded[name]]
    except Exception as error:
        wrong.append([module, repr(error)])
    else:
        if abbrs and sorted(found) != sorted(abbrs):
            wrong.append([module, found])
print(json.dumps(wrong))
"""


def test_the_listing_made_anew_is_the_shipped_one(python: Path, tmp_path: Path) -> None:
    subprocess.run(
        [str(python), str(SCRIPT), str(tmp_path)], check=True, env={"PYTHONHASHSEED": "0", "HOME": str(tmp_path)}
    )
    for name in ("datasets.json", "configs.json"):
        assert (tmp_path / name).read_text(encoding="utf-8") == (catalog.HERE / name).read_text(encoding="utf-8")


def test_every_listed_name_resolves_in_the_framework(python: Path, tmp_path: Path) -> None:
    """What a name stands for is a file that loads, with the variables and entries that jobs count on."""

    listed = [catalog.resolve(name) for name, info in catalog.datasets().items() if not info.unusable]
    configs = {config.module: config for chosen in listed if chosen is not None for config in chosen.configs}
    assert len(configs) > 100
    wanted = [[config.module, config.variables, list(config.units)] for config in configs.values()]
    (tmp_path / "wanted.json").write_text(json.dumps(wanted), encoding="utf-8")
    argv = [str(python), "-c", RESOLVE, str(catalog.HERE), str(tmp_path / "wanted.json")]
    run = subprocess.run(argv, check=True, capture_output=True, text=True, env={"HOME": str(tmp_path)})
    wrong = json.loads(run.stdout.splitlines()[-1])
    assert wrong == [], wrong
