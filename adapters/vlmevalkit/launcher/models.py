"""The model and the judge as VLMEvalKit sees them: its own API classes, sending through the gateway, once, at once.

Its classes sleep up to half a second before each request, retry on their own, and turn a failure into an answer string;
here a request goes out when its thread is free, the gateway retries, and a failure is noted under its sample.
"""

from __future__ import annotations

import copy
import json
import os
import threading
import time
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from . import kit, watch
from .transport import Poster, Response

NOT_ASKABLE = "[[not askable]]"
"""First text of a prompt that could not be built: it is answered without a request."""


@dataclass
class Asked:
    """One sample's request and what came of it."""

    input: list[dict[str, Any]] = field(default_factory=list)
    prompt_sha256: str | None = None
    response: str | None = None
    error: str | None = None
    usage: dict[str, int] | None = None
    latency_s: float | None = None
    finish_reason: str | None = None


asked: dict[str, Asked] = {}
"""By the sample's index as text; of a dialogue, its last turn, and the error of any."""
_here = threading.local()


def install() -> None:
    """VLMEvalKit's API classes send through ``Poster``, and judges are built here."""
    poster = Poster()
    kit.module("api.openai_sdk").requests = poster
    kit.module("api.gpt").requests = poster
    original = kit.module("dataset.utils.judge_util").build_judge
    kit.everywhere("build_judge", original, build_judge)


def gateway_model(job: dict[str, Any], item: dict[str, Any]) -> Any:
    """An instance of VLMEvalKit's class for OpenAI-compatible servers. ``item["payload"]`` is sent as it is."""
    url, key = _address(job["endpoint"])
    model = _model_class()(
        model=job["endpoint"]["model"],
        api_base=url,
        key=key,
        retry=1,
        wait=0,
        verbose=False,
        system_prompt=item["system_prompt"],
        custom_prompt=item["custom_prompt"],
    )
    model.api_base, model.key = url, key
    model.default_kwargs = dict(item["payload"])
    model.image = item["image"]
    return model


def _address(endpoint: dict[str, Any]) -> tuple[str, str]:
    """Where requests go and the token of this run; both are told by environment variables."""
    return f"{os.environ[endpoint['url_env']].rstrip('/')}/chat/completions", os.environ[endpoint["key_env"]]


def _model_class() -> Any:
    base = kit.module("api").LMDeployAPI
    encode = kit.module("smp").encode_image_to_base64

    class GatewayModel(base):  # type: ignore[misc,valid-type]
        def generate(self, message: Any, dataset: Any = None) -> Any:
            if message and isinstance(message[0], dict) and message[0].get("value") == NOT_ASKABLE:
                _note(self.fail_msg, None, message[-1]["value"], 0.0)
                return self.fail_msg
            prompt, system = _split_system(self.preproc_content(message))
            return self._ask(prompt, system, dataset)

        def chat(self, messages: Any, dataset: Any = None) -> Any:
            turns = copy.deepcopy(messages)
            for turn in turns:
                turn["content"] = self.preproc_content(turn["content"])
            return self._ask(turns, "", dataset)

        def _ask(self, inputs: Any, system: str, dataset: Any) -> Any:
            """One request; ``fail_msg`` where it is not answered, as VLMEvalKit's loops expect."""
            started, one = time.monotonic(), copy.copy(self)
            one.system_prompt = "\n".join(filter(None, (self.system_prompt, system))) or None
            _here.payload = None
            response: Response | None = None
            try:
                code, answer, response = one.generate_inner(inputs, dataset=dataset, **self.default_kwargs)
                error = "" if code == 0 and self.fail_msg not in answer and answer != "" else _why(response, answer)
            except Exception as failure:  # noqa: BLE001 - any failure is this one sample's
                answer, error = self.fail_msg, f"{type(failure).__name__}: {failure}"
            _note(answer, response, error, time.monotonic() - started, _here.payload)
            return self.fail_msg if error else encodable(answer)

        def preproc_content(self, inputs: Any) -> Any:
            """Without VLMEvalKit's habit of opening texts that look like a file or a URL."""
            if isinstance(inputs, str):
                return [{"type": "text", "value": inputs}]
            return [inputs] if isinstance(inputs, dict) else inputs

        def prepare_inputs(self, inputs: Any, system_prompt: Any = None) -> Any:
            prepared = super().prepare_inputs(inputs, system_prompt)
            _here.payload = (shown(inputs, system_prompt), prepared)
            return prepared

        def prepare_itlist(self, inputs: Any) -> Any:
            content = super().prepare_itlist(inputs)
            if self.image["size"] or self.image["detail"]:
                images = [part for part in inputs if part["type"] == "image"]
                shown = [part["image_url"] for part in content if part["type"] == "image_url"]
                for part, url in zip(images, shown, strict=True):
                    _resize(url, part["value"], self.image, encode)
            return content

    return GatewayModel


def _resize(url: dict[str, Any], path: str, image: dict[str, Any], encode: Any) -> None:
    if image["detail"]:
        url["detail"] = image["detail"]
    if image["size"]:
        from PIL import Image

        with Image.open(path) as opened:
            url["url"] = f"data:image/jpeg;base64,{encode(opened, target_size=image['size'])}"


def _split_system(message: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], str]:
    system = "\n".join(part["value"] for part in message if part.get("role") == "system")
    rest = [{k: v for k, v in part.items() if k != "role"} for part in message if part.get("role") != "system"]
    return rest, system


def _why(response: Response, answer: str) -> str:
    if response.error:
        return response.error
    return "the model's answer was empty" if not _content(response) else f"the answer could not be read: {answer[:100]}"


def _content(response: Response) -> str | None:
    try:
        content = response.json()["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError):
        return None
    return encodable(content.strip()) if isinstance(content, str) else None


def encodable(text: str) -> str:
    """Halves of surrogate pairs, which models do write, cannot be written to a table: they cost the whole dataset."""
    return text.encode("utf-8", "replace").decode()


def _note(answer: str, response: Response | None, error: str, latency_s: float, payload: Any = None) -> None:
    shown, sent = payload or ([], None)
    one = Asked(input=shown, error=error or None, latency_s=round(latency_s, 4))
    if sent is not None:
        text = json.dumps(sent, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        one.prompt_sha256 = sha256(text.encode("utf-8", "backslashreplace")).hexdigest()
    if response is not None and not response.error:
        one.response = _content(response)
        one.usage, one.finish_reason = _accounts(response)
    earlier = asked.get(watch.current())
    if earlier is not None:
        one.error = earlier.error or one.error
    asked[watch.current()] = one


def _accounts(response: Response) -> tuple[dict[str, int] | None, str | None]:
    try:
        body = response.json()
        usage = {k: body["usage"][k] for k in ("prompt_tokens", "completion_tokens") if k in body.get("usage") or {}}
        return usage or None, body["choices"][0].get("finish_reason")
    except (ValueError, KeyError, IndexError, TypeError):
        return None, None


def shown(inputs: Any, system_prompt: Any) -> list[dict[str, Any]]:
    """The messages with images as paths in the job's folder."""
    system = [{"role": "system", "content": system_prompt}] if system_prompt else []
    if inputs and "role" in inputs[0]:
        return [*system, *({"role": turn["role"], "content": _parts(turn["content"])} for turn in inputs)]
    return [*system, {"role": "user", "content": _parts(inputs)}]


def _parts(inputs: Any) -> list[dict[str, Any]]:
    return [
        {"type": "text", "text": part["value"]}
        if part["type"] == "text"
        else {"type": f"{part['type']}_url", f"{part['type']}_url": {"url": _relative(part["value"])}}
        for part in inputs
    ]


def _relative(path: str) -> str:
    try:
        return str(Path(path).resolve().relative_to(Path.cwd()))
    except ValueError:
        return path


class JudgeDown(Exception):
    """The judge does not answer; VLMEvalKit would go on with exact matching and say so in a warning."""


_judge: dict[str, Any] | None = None
judge_of_job: dict[str, Any] | None = None


def use_judge(judge: dict[str, Any] | None) -> None:
    """The judge of this process: ``{"model", "url_env", "key_env"}``."""
    global _judge
    _judge = judge


def build_judge(**kwargs: Any) -> Any:
    """VLMEvalKit's ``build_judge``: whatever name it asks for, it is the spec's judge."""
    if _judge is None:
        raise JudgeDown("this dataset asks for a judge, and the spec has none: set 'judge'")
    for name in ("model", "nproc", "retry", "wait", "verbose", "key", "api_base", "timeout"):
        kwargs.pop(name, None)
    url, key = _address(_judge)
    judge = _judge_class()(_judge["model"], retry=1, wait=0, key=key, api_base=url, **kwargs)
    judge.api_base, judge.key = url, key
    return judge


def _judge_class() -> Any:
    base = kit.module("api").OpenAIWrapper

    class Judge(base):  # type: ignore[misc,valid-type]
        def generate(self, message: Any, dataset: Any = None, **kwargs: Any) -> Any:
            inputs = self.preproc_content(message)
            try:
                code, answer, response = self.generate_inner(inputs, **self.default_kwargs | kwargs)
                error = "" if code == 0 and self.fail_msg not in answer and answer != "" else _why(response, answer)
            except Exception as failure:  # noqa: BLE001 - any failure is this one sample's
                answer, error = self.fail_msg, f"{type(failure).__name__}: {failure}"
            watch.judged(str(inputs), error.replace("the model's", "its"))
            return self.fail_msg if error else encodable(answer)

        def preproc_content(self, inputs: Any) -> Any:
            if isinstance(inputs, str):
                return [{"type": "text", "value": inputs}]
            if isinstance(inputs, dict):
                return [inputs]
            return [_judged_part(part) if isinstance(part, str) else part for part in inputs]

        def working(self) -> bool:
            if self.fail_msg in self.generate("hello"):
                raise JudgeDown(next(iter(watch.notes.silent.values()), "the judge did not answer"))
            return True

    return Judge


def _judged_part(text: str) -> dict[str, str]:
    """Scorers that show the judge pictures give their files' names among the texts."""
    is_image = text.lower().endswith((".png", ".jpg", ".jpeg", ".webp")) and Path(text).is_file()
    return {"type": "image" if is_image else "text", "value": text}
