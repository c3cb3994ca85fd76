"""Small rows, trajectories and answer files in ToolBench's formats, written for tests."""

import json
from typing import Any

Json = dict[str, Any]
FINISH = {
    "name": "Finish",
    "description": "Ends the task.",
    "parameters": {
        "type": "object",
        "properties": {"return_type": {"type": "string"}, "final_answer": {"type": "string"}},
        "required": ["return_type"],
    },
}
WEATHER = {
    "name": "weather_for_skies",
    "description": "The weather of a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "optional": []},
}
ROUTE = {"name": "route_for_roads", "description": "", "parameters": {"type": "object", "properties": {}}}
TOOLS = [WEATHER, ROUTE, FINISH]


def react(action: str, arguments: Json, thought: str = "I need it.") -> str:
    return f"Thought: {thought}\nAction: {action}\nAction Input: {json.dumps(arguments)}"


def finished(answer: str) -> str:
    return react("Finish", {"return_type": "give_answer", "final_answer": answer})


GIVE_UP = react("Finish", {"return_type": "give_up_and_restart"})


def static_row(query: str, target: str, *history: Json) -> Json:
    tools = [{**tool, "parameters": str(tool["parameters"])} for tool in TOOLS]
    first = [{"role": "system", "content": f"Use these: {tools}", "name": None}, {"role": "user", "content": query}]
    return {"messages": [*first, *history], "tools": tools, "target": target}


def step_taken(response: str = "cold") -> list[Json]:
    return [
        {"role": "assistant", "content": react("weather_for_skies", {"city": "Oslo"})},
        {"role": "function", "content": json.dumps({"error": "", "response": response}), "name": "weather_for_skies"},
    ]


def raw_answer(query: str, final: str | None, calls: int = 1, text: str = "cold") -> Json:
    """An answer file as a search leaves it; ``final`` None: it found nothing."""
    path: list[Json] = [{"role": "system", "content": "You can use functions."}, {"role": "user", "content": query}]
    for _ in range(calls):
        call = {"name": "weather_for_skies", "arguments": '{"city": "Oslo"}'}
        path.append({"role": "assistant", "content": None, "function_call": call})
        path.append({"role": "function", "name": "weather_for_skies", "content": text})
    paths = [path[: at + 1] for at, message in enumerate(path) if message["role"] == "assistant"]
    if final is not None:
        arguments = json.dumps(
            {"return_type": "give_answer", "final_answer": final} if final else {"return_type": "give_up_and_restart"}
        )
        path.append({"role": "assistant", "content": None, "function_call": {"name": "Finish", "arguments": arguments}})
        paths.append(path)
    generation: Json = {
        "valid_data": final is not None,
        "final_answer": path[-1]["function_call"]["arguments"] if final is not None else "",
        "function": TOOLS,
        "query": query,
        "finish_type": "give_answer" if final else "give_up",
    }
    if final is not None:
        generation["train_messages"] = paths
    return {"win": bool(final), "tree": {"tree": tree(text)}, "answer_generation": generation}


def tree(text: str) -> Json:
    """A search of two branches, of which the last one is two calls long."""
    leaf = {"node_type": "Action Input", "description": '{"city": "Bergen"}', "observation": text, "children": []}
    first = {
        "node_type": "Action",
        "description": "route_for_roads",
        "children": [{"node_type": "Action Input", "description": "{}", "observation": "no road", "children": []}],
    }
    then = {"node_type": "Action", "description": "weather_for_skies", "children": [leaf]}
    middle = {"node_type": "Action Input", "description": "{}", "observation": "hm", "children": [then]}
    last = {"node_type": "Action", "description": "route_for_roads", "children": [middle]}
    thought = {"node_type": "Thought", "description": "Once more.", "children": [last]}
    return {"node_type": "Action Input", "description": "", "children": [first, thought]}


def converted_answer(query: str, final: str, calls: int = 1) -> Json:
    """An answer as ToolEval's converter leaves it; an empty ``final``: it did not finish."""
    arguments = json.dumps({"return_type": "give_answer", "final_answer": final})
    nodes: list[Json] = [{"role": "system", "message": ""}, {"role": "user", "message": ""}]
    call = {"name": "weather_for_skies", "arguments": '{"city": "Oslo"}', "response": "cold"}
    nodes += [{"role": "tool", "message": dict(call)} for _ in range(calls)]
    if final:
        nodes += [{"role": "assistant", "message": "That will do."}]
        nodes += [{"role": "tool", "message": str({"name": "Finish", "arguments": arguments, "response": ""})}]
    chain: list[Json] = []
    for node in reversed(nodes):
        chain = [{**node, "next": chain}]
    answer = {"method": "CoT@1", "total_steps": len(nodes), "answer_details": chain}
    return {"query": query, "available_tools": TOOLS, "answer": {**answer, "final_answer": arguments if final else ""}}
