"""Judges' prompts: those that come with bridge (the YAML files here) and the user's own, chosen and filled in.

A file is a list of rows in FastChat's form (``name, type, system_prompt, prompt_template, category, output_format``).
Placeholders are filled in one pass, so that nothing in an answer is ever taken for one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast

from bridge.errors import Problem, SpecError, did_you_mean
from bridge.native.arena.questions import Question
from bridge.native.readers import DataError, read_rows

Type = Literal["single", "pairwise"]
ParserName = Literal["letter", "five_level", "scores", "rating", "json", "logprob"]
HERE = Path(__file__).parent
FILES = (".jsonl", ".json", ".yaml", ".yml")
PARSERS: Mapping[str, ParserName] = {
    "[[A]]": "letter",
    "[[A>>B]]": "five_level",
    "[[rating]]": "rating",
    "[[rating_a,rating_b]]": "scores",
    "json": "json",
    "A": "logprob",
}
"""By ``output_format``."""
DEFAULTS: Mapping[tuple[Type, ParserName | None], str] = {
    ("pairwise", None): "pair",
    ("pairwise", "letter"): "pair",
    ("pairwise", "five_level"): "pair_levels",
    ("pairwise", "scores"): "pair_scores",
    ("pairwise", "json"): "pair_json",
    ("pairwise", "logprob"): "pair_letter",
    ("single", None): "single",
    ("single", "rating"): "single",
    ("single", "json"): "single_json",
}
"""The prompt of a mode and a parser, where none is named."""
_TYPES = ("single", "pairwise")
_EVERY_CATEGORY = frozenset({"general", "default", "*"})
_FIELD = re.compile(r"\{\{|\}\}|\{([A-Za-z_]\w*)\}")
_REFERENCE = re.compile(r"reference|ref_answer(_\d+)?")
_SECOND_TURN = re.compile(r"(question|answer_[ab])_2")
_ANY_TURN = re.compile(r"dialogue(_[ab])?")
_NUMBERED = re.compile(r"(question|ref_answer|answer(_[ab])?)_[1-9]")
_PLAIN = {
    "pairwise": ("question", "answer_a", "answer_b", "dialogue_a", "dialogue_b", "reference", "category", "nonce"),
    "single": ("question", "answer", "dialogue", "reference", "category", "nonce"),
}
_SHOWING: Mapping[Type, tuple[set[str], ...]] = {
    "pairwise": (
        {"answer_a", "answer_b"},
        {"dialogue_a", "dialogue_b"},
        {"answer_a_1", "answer_b_1"},
        {"answer_1", "answer_2"},
    ),
    "single": ({"answer"}, {"dialogue"}, {"answer_1"}),
}
"""Placeholders, one group of which must be there."""
_SETTINGS = ("rubric", "scale_low", "scale_high")


@dataclass(frozen=True)
class Prompt:
    name: str
    type: Type
    parser: ParserName
    system: str
    template: str
    categories: frozenset[str]
    """Empty: for every category."""

    @cached_property
    def fields(self) -> frozenset[str]:
        return frozenset(_fields(self.system + self.template))

    @cached_property
    def wants_reference(self) -> bool:
        return any(map(_REFERENCE.fullmatch, self.fields))

    def takes(self, turn: int) -> bool:
        """Whether it is for judging this turn, with the turns before it."""
        if any(map(_ANY_TURN.fullmatch, self.fields)):
            return turn > 1
        return turn == (2 if any(map(_SECOND_TURN.fullmatch, self.fields)) else 1)

    @cached_property
    def sha256(self) -> str:
        what = "\0".join((self.type, self.parser, self.system, self.template))
        return hashlib.sha256(what.encode("utf-8", "surrogatepass")).hexdigest()

    def messages(self, values: Mapping[str, str]) -> list[dict[str, str]]:
        """What the judge is sent."""
        said = [{"role": "user", "content": _fill(self.template, values)}]
        return [{"role": "system", "content": _fill(self.system, values)}, *said] if self.system else said


def load(
    named: str | None, kind: Type, parser: ParserName | None, rubric: str, scale: tuple[float, float]
) -> tuple[Prompt, ...]:
    """The prompts of this type in the file, or in bridge's own set. Raises SpecError with all problems."""
    path = _path(named or DEFAULTS.get((kind, parser)) or "", kind, parser)
    settings = {"rubric": rubric.strip(), "scale_low": f"{scale[0]:g}", "scale_high": f"{scale[1]:g}"}
    prompts, problems = [], []
    for place, row in _rows(path):
        if row.get("type") not in _TYPES:
            problems.append(Problem(place, "", f"type is {row.get('type')!r}; allowed: 'single' or 'pairwise'"))
        elif row["type"] == kind:
            try:
                prompts.append(_prompt(row, kind, parser, settings))
            except ValueError as error:
                problems.append(Problem(place, "", f"prompt {row.get('name')}: {error}"))
    if not prompts and not problems:
        problems.append(Problem(str(path), "", f"holds no prompt of type {kind!r}"))
    if problems:
        raise SpecError(problems)
    return tuple(prompts)


def choose(prompts: Sequence[Prompt], question: Question, turn: int) -> Prompt:
    """The prompt for judging a turn of the question. Raises ValueError where none fits."""
    there = [prompt for prompt in prompts if prompt.takes(turn)]
    if not there:
        raise ValueError(f"no prompt is for turn {turn} (it needs {{dialogue}}, or {{question_2}} for turn 2)")
    named = [prompt for prompt in there if question.category in prompt.categories]
    has_reference = any(question.references[:turn])
    pool = named or [prompt for prompt in there if not prompt.categories or (prompt.wants_reference and has_reference)]
    fitting = [prompt for prompt in pool if has_reference or not prompt.wants_reference]
    if not fitting:
        what = f"prompt {pool[0].name} wants a reference answer" if pool else "no prompt is for its category"
        raise ValueError(f"{what}; question {question.question_id} ({question.category}) has none")
    return next((prompt for prompt in fitting if prompt.wants_reference == has_reference), fitting[0])


def values(question: Question, turn: int, answers: Mapping[str, tuple[str, ...]], nonce: str) -> dict[str, str]:
    """What stands for each placeholder; ``answers``: ``a`` and ``b`` as shown, or ``""`` for the only one."""
    found = {
        "question": question.turns[turn - 1],
        "reference": _reference(question, turn),
        "ref_answer": next(iter(question.references[turn - 1 : turn]), ""),
        "category": question.category or "",
        "nonce": nonce,
    }
    for number in range(1, turn + 1):
        found[f"question_{number}"] = question.turns[number - 1]
        found[f"ref_answer_{number}"] = next(iter(question.references[number - 1 : number]), "")
    for side, texts in answers.items():
        suffix = f"_{side}" if side else ""
        found[f"answer{suffix}"] = texts[-1]
        found[f"dialogue{suffix}"] = _dialogue(question, texts, nonce)
        found |= {f"answer{suffix}_{number}": text for number, text in enumerate(texts, 1)}
    if "answer_a" in found:
        found |= {"answer_1": found["answer_a"], "answer_2": found["answer_b"]}
    return found


def nonce_of(*texts: str) -> str:
    """A code that no answer can hold: it is made from the answers themselves."""
    return hashlib.sha256("\0".join(sorted(texts)).encode("utf-8", "surrogatepass")).hexdigest()[:10]


def _path(named: str, kind: Type, parser: ParserName | None) -> Path:
    if named.endswith(FILES):
        return Path(named)
    if not named:
        raise SpecError([Problem("", "arena.verdict.parser", f"{parser!r} is not for prompts of type {kind!r}")])
    known = sorted(path.stem for path in HERE.glob("*.yaml"))
    if named not in known:
        hint = did_you_mean(named, known) or f"there are: {', '.join(known)}; or give a file of prompts"
        raise SpecError([Problem("", "arena.verdict.prompt", f"there is no prompt {named!r}", hint)])
    return HERE / f"{named}.yaml"


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each row with its place."""
    if path.suffix in (".yaml", ".yml"):
        yield from _yaml_rows(path)
        return
    try:
        for line in read_rows(path):
            if line.problem:
                raise SpecError([Problem(f"{path}:{line.number}", "", line.problem)])
            yield f"{path}:{line.number}", line.row
    except DataError as error:
        raise SpecError([Problem("", "arena.verdict.prompt", str(error))]) from None


def _yaml_rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    import yaml

    try:
        rows = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except OSError as error:
        raise SpecError([Problem("", "arena.verdict.prompt", f"{path}: {error.strerror}")]) from None
    except yaml.YAMLError as error:
        raise SpecError([Problem(str(path), "", f"is not YAML: {' '.join(str(error).split())}")]) from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise SpecError([Problem(str(path), "", "is to be a list of prompts")])
    yield from ((f"{path} [{index}]", row) for index, row in enumerate(rows))


def _prompt(row: Mapping[str, Any], kind: Type, parser: ParserName | None, settings: Mapping[str, str]) -> Prompt:
    template, system = row.get("prompt_template"), row.get("system_prompt") or ""
    if not isinstance(template, str) or not template.strip() or not isinstance(system, str):
        raise ValueError("prompt_template and system_prompt are to be text")
    defaults = row.get("defaults") if isinstance(row.get("defaults"), dict) else {}
    known = {**{str(name): str(text) for name, text in cast(dict[str, Any], defaults).items()}, **settings}
    categories = row.get("category") or []
    prompt = Prompt(
        str(row.get("name") or kind),
        kind,
        parser or _parser(row, kind),
        _settled(system, known),
        _settled(template, known),
        frozenset(map(str, categories if isinstance(categories, list) else [categories])) - _EVERY_CATEGORY,
    )
    _check(prompt)
    return prompt


def _parser(row: Mapping[str, Any], kind: Type) -> ParserName:
    said = row.get("parser")
    if said in PARSERS.values():
        return cast(ParserName, said)
    output = str(row.get("output_format", "")).replace(" ", "")
    if output in PARSERS:
        return PARSERS[output]
    if output:
        raise ValueError(f"output_format is {output!r}; known: {', '.join(PARSERS)}; or set arena.verdict.parser")
    return "letter" if kind == "pairwise" else "rating"


def _check(prompt: Prompt) -> None:
    allowed = [*_PLAIN[prompt.type], "ref_answer", *(["answer_1", "answer_2"] if prompt.type == "pairwise" else [])]
    for name in sorted(prompt.fields):
        if name not in allowed and not _NUMBERED.fullmatch(name):
            hint = did_you_mean(name, [*allowed, *_SETTINGS]) or f"there are: {', '.join([*allowed, *_SETTINGS])}"
            raise ValueError(f"unknown placeholder {{{name}}} ({hint})")
    of_pair = (
        {"answer_a", "answer_b"},
        {"dialogue_a", "dialogue_b"},
        {"answer_1", "answer_2"},
        {"answer_a_1", "answer_b_1"},
    )
    of_one = {"answer"}, {"dialogue"}, {"answer_1"}
    if not any(names <= prompt.fields for names in (of_pair if prompt.type == "pairwise" else of_one)):
        raise ValueError("shows no answer" if prompt.type == "single" else "does not show both answers")


def _settled(text: str, known: Mapping[str, str]) -> str:
    """With the settings filled in; their braces are doubled, as they are no placeholders."""
    escaped = {name: value.replace("{", "{{").replace("}", "}}") for name, value in known.items()}
    filled = _FIELD.sub(lambda m: escaped.get(m[1], m[0]) if m[1] else m[0], text)
    return re.sub(r"\n{3,}", "\n\n", filled) if not known.get("rubric") else filled


def _fields(text: str) -> Iterator[str]:
    return (match[1] for match in _FIELD.finditer(text) if match[1])


def _fill(text: str, values: Mapping[str, str]) -> str:
    return _FIELD.sub(lambda m: values.get(m[1], m[0]) if m[1] else m[0][0], text)


def _reference(question: Question, turn: int) -> str:
    texts = question.references[:turn]
    if turn == 1 or len([text for text in texts if text]) < 2:
        return next((text for text in texts if text), "")
    return "\n\n".join(f"(turn {number})\n{text}" for number, text in enumerate(texts, 1) if text)


def _dialogue(question: Question, texts: Sequence[str], nonce: str) -> str:
    parts = []
    for number, (asked, answered) in enumerate(zip(question.turns, texts, strict=False), 1):
        parts += [f"<user turn {number} {nonce}>\n{asked}", f"<assistant turn {number} {nonce}>\n{answered}"]
    return "\n\n".join(parts)
