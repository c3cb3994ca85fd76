"""The stand-in for torch: names can be mentioned, nothing computes."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from bridge.adapters.opencompass import catalog

PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
from ocbridge import torch_absent
torch_absent.install()
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset
from torch import Tensor, bfloat16

class Model(torch.nn.Module):
    dtype = torch.float16

    @torch.no_grad()
    def forward(self, x: torch.Tensor) -> Tensor:
        return 7

def refused(call):
    try:
        call()
    except torch_absent.TorchNeeded as error:
        return str(error)
    return None

with torch.inference_mode():
    entered = True

said = {
    "cuda": torch.cuda.is_available(),
    "devices": torch.cuda.device_count(),
    "distributed": torch.distributed.is_available(),
    "mps": torch.backends.mps.is_available(),
    "tensor": isinstance(3, torch.Tensor),
    "device": str(torch.device("cpu")),
    "version": torch.__version__,
    "no_grad": Model.forward(None, 1),
    "refused": [refused(call) for call in (
        lambda: torch.tensor([1]), lambda: Model(), lambda: F.softmax(1), lambda: DataLoader([]), lambda: Tensor(),
        lambda: torch.cuda.synchronize(), lambda: torch.ones(2).sum(),
    )],
    "batches": list(DataLoader([1, 2, 3], batch_size=2, collate_fn=lambda rows: rows)),
    "file": getattr(torch, "__file__", None),
}
print(json.dumps(said))
"""


def said() -> dict[str, Any]:
    argv = [sys.executable, "-c", PROGRAM, str(catalog.HERE)]
    run = subprocess.run(argv, capture_output=True, text=True, check=True)
    content: dict[str, Any] = json.loads(run.stdout)
    return content


def test_what_is_true_without_torch_is_answered_and_the_rest_refused() -> None:
    found = said()
    refused = found.pop("refused")
    assert found == {
        "cuda": False,
        "devices": 0,
        "distributed": False,
        "mps": False,
        "tensor": False,
        "device": "cpu",
        "version": "2.13.0",
        "no_grad": 7,
        "batches": [[1, 2], [3]],
        "file": None,
    }
    assert [message.split(" was called: this dataset needs torch")[0] for message in refused] == [
        "torch.tensor",
        "__main__.Model",
        "torch.nn.functional.softmax",
        "torch.utils.data.DataLoader",
        "torch.Tensor",
        "torch.cuda.synchronize",
        "torch.ones",
    ]
