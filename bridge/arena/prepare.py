"""ArenaSpec → Setup: everything is read and checked before anything is asked; all problems are told at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bridge.arena_spec import ArenaJudgeSpec, ArenaSpec, ContestantSpec, check, warnings
from bridge.errors import Problem, SpecError
from bridge.native.arena.answers import Answers, read_answers
from bridge.native.arena.asking import Contestant
from bridge.native.arena.judging import Judge, Price
from bridge.native.arena.prompts import Prompt, Type, choose, load
from bridge.native.arena.questions import Question, read_questions, with_references
from bridge.native.arena.verdicts import PARSERS_OF
from bridge.serve import check as check_model
from bridge.serve.weights import files_of
from bridge.spec import DeploySpec, GenerationSpec, expanded

ANSWER_TOKENS = 1024
VERDICT_TOKENS = 2048


@dataclass
class Setup:
    """A spec with what it names."""

    spec: ArenaSpec
    questions: list[Question] = field(default_factory=list)
    prompts: tuple[Prompt, ...] = ()
    on_file: dict[str, Answers] = field(default_factory=dict)
    """Of the models whose answers are files."""
    notes: list[str] = field(default_factory=list)
    """What a reader of the result should know."""

    @property
    def models(self) -> list[str]:
        return [model.name for model in self.spec.models]

    def contestant(self, model: ContestantSpec) -> Contestant:
        source = model.model_dump_json(include={"endpoint": {"base_url"}, "deploy": True}) + _weights(model.deploy)
        request = self.spec.generation_of(model).request_fields(ANSWER_TOKENS)
        return Contestant(model.name, self.spec.questions_name, request, source)

    def judge(self, judge: ArenaJudgeSpec) -> Judge:
        budget = self.spec.arena.pairs.budget
        price = judge.price or (budget.price if budget else None)
        request = (judge.generation or GenerationSpec()).request_fields(VERDICT_TOKENS)
        return Judge(judge.name, request, Price(price.input, price.output) if price else None)

    def asked_how(self, judge: ArenaJudgeSpec) -> str:
        """What a judge's words depend on besides the question: where it is, its weights, its request."""
        where = judge.model_dump_json(include={"name": True, "endpoint": {"base_url"}, "deploy": True})
        what = [where, self.judge(judge).request, _weights(judge.deploy)]
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()

    @property
    def asked_judges(self) -> list[ArenaJudgeSpec]:
        """Those that are models."""
        return [judge for judge in self.spec.all_judges if not judge.human]


def _weights(deploy: DeploySpec | None) -> str:
    """The files of the weights as they are now."""
    return json.dumps(files_of([expanded(path) for path in (deploy.path, *deploy.adapters)])) if deploy else ""


def prepare(spec: ArenaSpec) -> Setup:
    """Reads files; asks no network and starts nothing. Raises SpecError with all problems."""
    setup, problems = Setup(spec), [*check(spec), *_settings(spec)]
    for step in (_questions, _prompts, _answers):
        try:
            step(setup)
        except SpecError as error:
            problems += error.problems
    if setup.questions and setup.prompts:
        problems += _unprompted(setup)
    if problems:
        raise SpecError(problems)
    setup.notes += warnings(spec)
    return setup


def _settings(spec: ArenaSpec) -> Iterator[Problem]:
    at = [f"models[{index}]" for index in range(len(spec.models))]
    at += ["judge"] if spec.judge else [f"judges[{index}]" for index in range(len(spec.judges))]
    models = [*(one.model() for one in spec.models), *(judge.model() for judge in spec.all_judges)]
    for place, model in zip(at, models, strict=True):
        if model is not None:
            yield from check_model(model, field=place)
    kind = "single" if spec.arena.mode == "single" else "pairwise"
    parser = spec.arena.verdict.parser
    if parser is not None and parser not in PARSERS_OF[kind]:
        allowed = ", ".join(PARSERS_OF[kind])
        yield Problem("", "arena.verdict.parser", f"{parser!r} is not for mode {spec.arena.mode}; allowed: {allowed}")
    if spec.arena.repeats > 1:
        for judge in spec.all_judges:
            if not judge.human and (judge.generation is None or judge.generation.temperature == 0):
                message = f"is {spec.arena.repeats}, and judge {judge.name} says the same each time"
                yield Problem("", "arena.repeats", message, "give it a generation.temperature above 0")
    if spec.arena.pairs.budget is not None and spec.arena.pairs.budget.usd is not None:
        for judge in spec.all_judges:
            if not judge.human and judge.price is None and spec.arena.pairs.budget.price is None:
                yield Problem("", "arena.pairs.budget.usd", f"judge {judge.name} has no price", "give budget.price")


def _questions(setup: Setup) -> None:
    where, spec = setup.spec.questions, setup.spec
    found = read_questions(Path(expanded(where.path)), where.format, where.categories)[: where.limit]
    if where.references is not None:
        references = read_answers(Path(expanded(where.references)), "references", _by_text(found))
        known = {name: tuple(text or "" for text in answer.turns) for name, answer in references.of.items()}
        found = with_references(found, known)
    setup.questions = found
    if spec.arena.mode == "pairwise-baseline" and "default" not in (spec.arena.baseline or {}):
        bare = sorted({str(one.category) for one in found if spec.arena.baseline_of(one.category) is None})
        if bare:
            message = f"there is none for the category {bare[0]}" + (f" and {len(bare) - 1} more" if bare[1:] else "")
            raise SpecError([Problem("", "arena.baseline", message, "add 'default', the baseline of all others")])


def _prompts(setup: Setup) -> None:
    block = setup.spec.arena
    kind: Type = "single" if block.mode == "single" else "pairwise"
    named = block.prompt_name
    if block.verdict.parser is None or block.verdict.parser in PARSERS_OF[kind]:
        path = expanded(named) if named else None
        setup.prompts = load(path, kind, block.verdict.parser, block.rubric or "", block.scale)


def _answers(setup: Setup) -> None:
    problems: list[Problem] = []
    texts = _by_text(setup.questions)
    for model in setup.spec.models:
        if model.answers is None:
            continue
        try:
            answers = read_answers(Path(expanded(model.answers)), model.name, texts)
        except SpecError as error:
            problems += error.problems
            continue
        setup.on_file[model.name] = answers
        setup.notes += answers.notes[:5]
        if setup.questions and not any(one.question_id in answers.of for one in setup.questions):
            message = f"{model.answers} answers none of the questions; do the ids match?"
            problems.append(Problem("", f"models[{setup.spec.models.index(model)}].answers", message))
    if problems:
        raise SpecError(problems)


def _by_text(questions: list[Question]) -> dict[str, str]:
    return {question.turns[0]: question.question_id for question in questions}


def _unprompted(setup: Setup) -> list[Problem]:
    """Questions that no prompt is for, told once for each reason."""
    found: dict[str, Problem] = {}
    for question in setup.questions:
        for turn in range(1, len(question.turns) + 1):
            try:
                choose(setup.prompts, question, turn)
            except ValueError as error:
                reason = str(error).partition(";")[0]
                hint = "questions.references names a file of them" if "reference" in reason else ""
                found.setdefault(reason, Problem("", "arena.verdict.prompt", str(error), hint))
    return list(found.values())
