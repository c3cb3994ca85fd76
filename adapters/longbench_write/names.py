"""Names, for whoever only lists."""

from __future__ import annotations

from typing import Final

BACKEND: Final = "longbench_write"
FILES = {
    "longbench_write": "longbench_write.jsonl",
    "longbench_write_en": "longbench_write_en.jsonl",
    "longwrite_ruler": "longwrite_ruler.jsonl",
}
"""Dataset → its file in a folder."""
