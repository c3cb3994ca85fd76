"""``bridge import``: results that others have made, as a run folder that ``compare``, ``export`` and ``report.html``
read like any other. One module per framework. Every model of such a run has the engine ``imported``.
"""

from __future__ import annotations

from typing import NamedTuple


class Framework(NamedTuple):
    module: str
    line: str


FRAMEWORKS = {
    "evalscope": Framework("bridge.imports.evalscope", "a folder outputs/<time> with reports/ and reviews/"),
    "inspect": Framework("bridge.imports.inspect_logs", "an .eval or .json log, or a folder of them"),
    "lm-eval": Framework("bridge.imports.lm_eval", "a results_*.json, or the folder it is in"),
    "opencompass": Framework("bridge.imports.opencompass", "a folder outputs/<time> with predictions/ and results/"),
}
