"""The fault campaign: every backend under every disturbance, and what came of it.

    python tests/faults/matrix.py [--backend B] [--fault F] [--write docs/reliability.md]

Each cell runs the real ``bridge`` against a server of its own: disturbed, and then, where the cause can go away, the
same command again. What it came to is compared with a run that nobody disturbed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from disturbances import DISTURBANCES, OK, Disturbance, room_again, unmounted  # noqa: E402
from fault_server import FaultServer  # noqa: E402
from rig import Rig, left_behind  # noqa: E402
from server_thread import serving  # noqa: E402
from subjects import SUBJECTS, Subject  # noqa: E402

BEGIN, END = "<!-- matrix -->", "<!-- end of matrix -->"


@dataclass(frozen=True)
class Cell:
    backend: str
    fault: str
    status: str
    """Of the disturbed invocation; ``-`` where it left no report."""
    exit_code: int
    said_after_s: float
    """From the disturbance to the end of the command."""
    healed: str
    """Status after the same command again."""
    requests: int
    """All that the server was asked, all invocations together."""
    asked_again: int
    """Of these, asked again although they had been answered."""
    equal: bool
    """Every value as in the undisturbed run."""
    scored_without_answer: int
    all_answered_scored: bool
    """Whether the last report scores exactly the samples that were answered."""
    left: tuple[str, ...]
    stderr: str

    def problems(self, disturbance: Disturbance) -> list[str]:
        """What is not as promised."""
        wrong = []
        if self.exit_code not in disturbance.exits:
            wrong.append(f"exit code {self.exit_code}, not one of {sorted(disturbance.exits)}")
        if "Traceback" in self.stderr or "this is a bug" in self.stderr:
            wrong.append("a traceback")
        if self.asked_again > disturbance.again:
            wrong.append(f"{self.asked_again} answered requests were asked again")
        if self.scored_without_answer:
            wrong.append(f"{self.scored_without_answer} samples without an answer have a score")
        if self.left:
            wrong.append(f"processes are left: {self.left}")
        if not disturbance.curable and not self.all_answered_scored:
            wrong.append("not exactly the samples that were answered have a score")
        if disturbance.curable and (self.healed, self.equal) != ("complete", True):
            wrong.append(f"afterwards {self.healed}, values {'equal' if self.equal else 'differ'}")
        return wrong


def run_cell(subject: Subject, disturbance: Disturbance, folder: Path) -> Cell:
    with serving(FaultServer(model="m", default=OK, answer=subject.answer)) as thread:
        rig = Rig(subject, folder, thread)
        try:
            first = disturbance.act(rig)
            said_after_s = first.at - rig.onset
            left = left_behind(folder)
            report, scored = rig.report(), rig.scored_without_answer()
            if disturbance.curable:
                room_again(rig)
                rig.heal()
                rig.to_its_end()
                scored += rig.scored_without_answer()
            return Cell(
                backend=subject.backend,
                fault=disturbance.name,
                status=report["run"]["status"] if report else "-",
                exit_code=first.exit_code,
                said_after_s=said_after_s,
                healed=_status(rig) if disturbance.curable else "-",
                requests=len(rig.server.journal),
                asked_again=rig.asked_again(),
                equal=rig.values() == undisturbed(subject.backend),
                scored_without_answer=scored,
                all_answered_scored=rig.scored() == rig.answered(),
                left=(*left, *left_behind(folder)),
                stderr=first.stderr,
            )
        finally:
            unmounted(rig)


@cache
def undisturbed(backend: str) -> dict[tuple[Any, ...], float | None]:
    """The values of a run that nobody disturbed, which asks every row once."""
    subject = SUBJECTS[backend]
    folder = Path(tempfile.mkdtemp(prefix="bridge-faults-"))
    try:
        with serving(FaultServer(model="m", default=OK, answer=subject.answer)) as thread:
            rig = Rig(subject, folder, thread)
            done = rig.to_its_end()
            assert done.exit_code == 0, done.stderr
            assert len(thread.server.journal) == subject.rows, len(thread.server.journal)
            return rig.values()
    finally:
        shutil.rmtree(folder)


def _status(rig: Rig) -> str:
    report = rig.report()
    return str(report["run"]["status"]) if report else "-"


def table(cells: Iterable[Cell]) -> str:
    head = (
        "backend",
        "fault",
        "status",
        "exit",
        "s",
        "again",
        "requests",
        "twice",
        "equal",
        "unanswered scored",
        "left",
    )
    lines = [head, ("---",) * len(head)]
    lines += [
        (
            cell.backend,
            DISTURBANCES[cell.fault].said,
            cell.status,
            str(cell.exit_code),
            f"{cell.said_after_s:.1f}",
            cell.healed,
            str(cell.requests),
            str(cell.asked_again),
            ("yes" if cell.equal else "NO") if DISTURBANCES[cell.fault].curable else "-",
            str(cell.scored_without_answer),
            str(len(cell.left)),
        )
        for cell in cells
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", choices=SUBJECTS, action="append")
    parser.add_argument("--fault", choices=DISTURBANCES, action="append")
    parser.add_argument("--write", type=Path, help="Put the table between the marks of this page.")
    parser.add_argument("--side-by-side", type=int, default=2)
    given = parser.parse_args()
    pairs = [(b, f) for b in given.backend or SUBJECTS for f in given.fault or DISTURBANCES]
    for backend in given.backend or SUBJECTS:
        undisturbed(backend)
    with ThreadPoolExecutor(given.side_by_side) as pool:
        cells = list(pool.map(_in_a_folder, pairs))
    text = table(cells)
    print(text)
    bad = [(cell, problems) for cell in cells if (problems := cell.problems(DISTURBANCES[cell.fault]))]
    for cell, problems in bad:
        print(f"{cell.backend} × {cell.fault}: {'; '.join(problems)}\n{cell.stderr[-600:]}", file=sys.stderr)
    if given.write:
        page = given.write.read_text(encoding="utf-8")
        before, rest = page.split(BEGIN)[0], page.split(END)[1]
        given.write.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest}", encoding="utf-8")
    return 1 if bad else 0


def _in_a_folder(pair: tuple[str, str]) -> Cell:
    folder = Path(tempfile.mkdtemp(prefix="bridge-faults-"))
    try:
        return run_cell(SUBJECTS[pair[0]], DISTURBANCES[pair[1]], folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    raise SystemExit(main())
