"""The gate's answer as JUnit XML, which every CI system shows: one test case for each thing that is decided."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree as Xml

from bridge.gate.schema import GateAnswer, State
from bridge.gate.text import answer_text
from bridge.report.text import visible

Case = tuple[str, State, str]


def answer_junit(answer: GateAnswer) -> str:
    """States that stop the candidate, or leave it open where that fails the gate, are failures."""
    open_fails = answer.exit_code != 0 or answer.verdict != "INCONCLUSIVE"
    cases = list(_cases(answer))
    failed = [_fails(state, open_fails=open_fails) for _, state, _ in cases]
    suite = Xml.Element("testsuite", name="bridge gate", tests=str(len(cases)), failures=str(sum(failed)), errors="0")
    for (name, state, told), fails in zip(cases, failed, strict=True):
        case = Xml.SubElement(suite, "testcase", classname="gate", name=visible(name))
        if fails:
            failure = Xml.SubElement(case, "failure", type=state, message=visible(told or state))
            failure.text = visible(told)
        elif state == "told":
            Xml.SubElement(case, "skipped", message=visible(told))
    Xml.SubElement(suite, "system-out").text = answer_text(answer)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(suite, encoding="unicode") + "\n"


def _cases(answer: GateAnswer) -> Iterator[Case]:
    """The verdict is a case of its own, so that no failure is without one."""
    verdict: State = "ok" if answer.verdict == "GO" else "worse" if answer.verdict == "NO-GO" else "not shown"
    yield "verdict", verdict, f"{answer.verdict}: {'; '.join(answer.why)}"
    if answer.suite is not None:
        yield "suite", answer.suite.state, _about(answer, "the mean over")
    for one in answer.datasets:
        yield one.dataset, one.state, one.waived or _about(answer, one.dataset)
    for number in answer.performance:
        yield number.name, number.state, _about(answer, number.name)


def _about(answer: GateAnswer, beginning: str) -> str:
    return "; ".join(reason for reason in answer.why if reason.startswith(beginning))


def _fails(state: State, *, open_fails: bool) -> bool:
    return state in ("worse", "missing") or (open_fails and state in ("not shown", "unclear"))
