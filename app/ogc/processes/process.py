"""What a process is: its inputs and outputs as JSON Schema, and the work itself. Also what an input may be."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import jsonschema
from sqlalchemy.orm import Session

from app.actor import Actor, Permission
from app.db.engine import transaction
from app.deps import Services
from app.errors import InvalidInput, NotFound
from layers.model import Text

Json = dict[str, Any]
Progress = Callable[[float, str], None]
"""Told how much is done (0–1) and what is being done. Raises Dismissed if nobody wants it any more."""
Mode = Literal["sync-execute", "async-execute"]


class Dismissed(Exception):
    """The job was dismissed while it worked."""


@dataclass(frozen=True)
class Result:
    """An output: a value, or a file with its media type."""

    value: Any = None
    file: Path | None = None
    media: str = "application/json"


Run = Callable[[Services, Actor, Mapping[str, Any], Path, Progress], Mapping[str, Result]]
"""Does the work: services, who asks, checked inputs, a folder for files, progress."""
Check = Callable[[Services, Actor, Json], Json]
"""Looks at inputs that fit their schemas before a job is put on record; returns them as the work will have them."""


@dataclass(frozen=True)
class Input:
    title: Text
    schema: Json
    required: bool = False
    most: int = 1
    """How many may be given."""


@dataclass(frozen=True)
class Output:
    title: Text
    schema: Json
    media: Mapping[str, str] = field(default_factory=dict)
    """Media types that a client may choose from, with what each stands for in the input `chosen_by`."""
    chosen_by: str = ""


@dataclass(frozen=True)
class Process:
    """A process as clients see it, and the work."""

    id: str
    title: Text
    description: Text
    inputs: Mapping[str, Input]
    outputs: Mapping[str, Output]
    run: Run
    needs: Permission
    check: Check
    modes: tuple[Mode, ...] = ("async-execute",)
    version: str = "1.0.0"


Resolve = Callable[[str], Awaitable[Any]]
"""The value behind a reference. Raises InvalidInput for one that may not be followed."""


async def checked(process: Process, given: Any, resolve: Resolve) -> Json:
    """The inputs, each resolved and held against its schema (req/core/process-execute-input-validation).

    Raises InvalidInput.
    """
    if not isinstance(given, dict):
        raise InvalidInput("inputs 应为对象 (inputs is an object)", field="inputs")
    if unknown := [name for name in given if name not in process.inputs]:
        raise InvalidInput(
            f"没有输入 {unknown[0][:60]!r} (no such input; there are {', '.join(process.inputs)})",
            field=unknown[0][:60],
        )
    found: Json = {}
    for name, declared in process.inputs.items():
        if name not in given:
            if declared.required:
                raise InvalidInput(f"缺少输入 {name} (the input {name} is missing)", field=name)
            continue
        many = given[name] if declared.most > 1 and isinstance(given[name], list) else [given[name]]
        if not 1 <= len(many) <= declared.most:
            raise InvalidInput(f"输入 {name} 应为1–{declared.most}个 (so many values of {name})", field=name)
        values = [await _value(name, declared, one, resolve) for one in many]
        found[name] = values if declared.most > 1 else values[0]
    return found


async def _value(name: str, declared: Input, given: Any, resolve: Resolve) -> Any:
    """A value inline, qualified ({"value": …}) or by reference ({"href": …})."""
    value = given
    if isinstance(given, dict) and isinstance(given.get("href"), str):
        value = await resolve(given["href"])
    elif isinstance(given, dict) and "value" in given:
        value = given["value"]
    try:
        jsonschema.Draft202012Validator(declared.schema).validate(value)
    except jsonschema.ValidationError as error:
        raise InvalidInput(
            f"输入 {name} 有误 (the input {name} is wrong): {error.message[:200]}",
            field=name,
            value=str(value)[:60],
        ) from None
    except RecursionError:
        raise InvalidInput(
            f"输入 {name} 嵌套过深 (the input {name} is nested too deeply)", field=name
        ) from None
    return value


def begun_once(
    services: Services,
    actor: Actor,
    folder: Path,
    find: Callable[[Session, int], Any],
    begin: Callable[[Session], int],
) -> int:
    """The run on record behind a job: started again after its worker was killed, it goes on with the one that it began."""
    marker = folder / "run"
    before = marker.read_text() if marker.is_file() else ""
    with transaction(services.engine, actor) as session:
        if before.isdigit():
            with suppress(NotFound):
                return int(find(session, int(before))["id"])
        run_id = begin(session)
        # Before the commit: if that does not come, the run named here is not there, and another is begun.
        marker.write_text(str(run_id))
    return run_id
