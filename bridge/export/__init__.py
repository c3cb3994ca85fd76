"""``bridge export``: a run in the formats of other tools. One module per format; none needs the tool it writes for,
but those that hand a run to a tracker (parquet, wandb, mlflow), which import its library.
"""

from __future__ import annotations

from typing import NamedTuple


class Format(NamedTuple):
    """A format: the module that has ``export`` and ``META``, and its line of help."""

    module: str
    line: str


FORMATS = {
    "csv": Format("bridge.export.csv_files", "results.csv and samples.csv"),
    "every_eval_ever": Format("bridge.export.every_eval_ever", "aggregates and instances by schema 0.3.0"),
    "inspect": Format("bridge.export.inspect_logs", "one .eval log per dataset, for `inspect view`"),
    "lm-eval": Format(
        "bridge.export.lm_eval", "results_*.json and samples_*.jsonl as lm-evaluation-harness writes them"
    ),
    "mlflow": Format("bridge.export.mlflow_runs", "one run per model; pip install mlflow"),
    "model-card": Format("bridge.export.model_card", "the model-index of a Hugging Face model card"),
    "parquet": Format("bridge.export.parquet_files", "results.parquet and samples.parquet; pip install pyarrow"),
    "wandb": Format(
        "bridge.export.wandb_runs", "one run per model, offline unless WANDB_MODE says else; pip install wandb"
    ),
}
