from __future__ import annotations

from pathlib import Path

from fakes import make_record, make_report, make_row, write_samples

from bridge.report.html import render_html
from bridge.report.scatter import scatter

ASKED = {"scatter": {"x": "required_words", "y": "written_words"}}


def row_with(tmp_path: Path, pairs: list[tuple[object, object]]):
    records = [
        make_record(sample_id=str(at), metadata={"required_words": x, "written_words": y})
        for at, (x, y) in enumerate(pairs)
    ]
    write_samples(tmp_path, {"s.jsonl": records})
    return make_row(settings=ASKED, samples="s.jsonl", primary=True)


def test_what_was_written_as_asked_lies_on_the_diagonal(tmp_path: Path) -> None:
    plot = scatter([row_with(tmp_path, [(100, 100), (1000, 1000), (100, 1000)])], tmp_path)
    assert plot is not None
    (low, high, above) = plot.clouds[0].points
    assert low == (42.0, 278.0)
    assert high == (278.0, 42.0)
    assert above == (42.0, 42.0)
    assert [label for _, _, label in plot.ticks] == ["100", "1,000"]


def test_samples_without_both_numbers_are_counted_and_not_drawn(tmp_path: Path) -> None:
    plot = scatter([row_with(tmp_path, [(100, 50), (100, None), (100, 0), ("many", 3)])], tmp_path)
    assert plot is not None
    assert (len(plot.clouds[0].points), plot.left_out) == (1, 3)


def test_nobody_asked_or_nothing_to_show(tmp_path: Path) -> None:
    assert scatter([make_row(primary=True)], tmp_path) is None
    assert scatter([row_with(tmp_path, [(None, None)])], tmp_path) is None
    assert scatter([make_row(settings=ASKED, samples="gone.jsonl", primary=True)], tmp_path) is None


def test_it_is_on_the_page(tmp_path: Path) -> None:
    row = row_with(tmp_path, [(100, 50), (1000, 2000)])
    page = render_html(make_report(results=(row,)), tmp_path)
    assert page.count('<circle class="dot') == 2
