"""VLMEvalKit as a user runs it: its own command line, its own loop, its own API class and retries.

    ENVIRONMENT/bin/python vlm_by_hand.py STAND-INS -- ARGUMENTS OF python -m vlmeval

Two things differ from a machine with everything installed: packages that are not there are stood in for while it is
imported, and a table whose md5 is not the official one is taken as it is.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

ADAPTER = Path(__file__).parents[3] / "adapters" / "vlmevalkit" / "launcher" / "standins.py"
spec = importlib.util.spec_from_file_location("standins", ADAPTER)
assert spec is not None and spec.loader is not None
standins = importlib.util.module_from_spec(spec)
sys.modules["standins"] = standins
spec.loader.exec_module(standins)

cut = sys.argv.index("--")
standins.install(sys.argv[1:cut])
sys.argv = ["vlmeval", *sys.argv[cut + 1 :]]

import vlmeval.run  # noqa: E402
from vlmeval.dataset.image_base import ImageBaseDataset  # noqa: E402

standins.seal()
as_it_is = ImageBaseDataset.prepare_tsv
ImageBaseDataset.prepare_tsv = lambda self, url, file_md5=None: as_it_is(self, url, None)
vlmeval.run.main()
