"""The public surface is what it says it is: listed once, loaded when used, and complete with the types it speaks in."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest

import selfroute

README = Path(__file__).parent.parent / "README.md"
needs_readme = pytest.mark.skipif(not README.exists(), reason="there is no README here")


def test_the_three_lists_of_public_names_are_one_list() -> None:
    assert selfroute.__all__ == sorted(selfroute._WHERE)
    assert selfroute._WHERE.keys() == _for_type_checkers().keys()


def test_what_type_checkers_see_is_what_is_loaded() -> None:
    for name, (module, attribute) in _for_type_checkers().items():
        assert getattr(selfroute, name) is getattr(import_module(module), attribute), name


@pytest.mark.parametrize("name", selfroute.__all__)
def test_every_public_name_resolves(name: str) -> None:
    assert getattr(selfroute, name) is not None
    assert name in dir(selfroute)


def test_a_name_that_is_not_public_is_refused_by_name() -> None:
    with pytest.raises(AttributeError, match="Nonsense"):
        _ = selfroute.Nonsense


@pytest.mark.end_to_end
def test_importing_selfroute_imports_nothing_of_it() -> None:
    program = "import sys, selfroute; print([m for m in sys.modules if m.startswith('selfroute.')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_type_that_a_user_gets_or_gives_is_public() -> None:
    missing = _missing()
    assert not missing, "not public: " + ", ".join(f"{name} (in {place})" for name, place in sorted(missing.items()))


def test_every_public_type_is_one_that_a_user_gets_or_gives() -> None:
    given = {type_.__name__ for name in selfroute.__all__ for _, type_ in _reached(name, getattr(selfroute, name))}
    unneeded = {name for name in selfroute.__all__ if inspect.isclass(getattr(selfroute, name))} - given
    assert unneeded == {"SelfrouteError"}  # what is raised


@needs_readme
def test_the_readme_names_what_is_public_and_nothing_else() -> None:
    [sentence] = re.findall(
        r"These names and no others are public: (.*?)\.\n", README.read_text(encoding="utf-8"), re.S
    )
    assert re.findall(r"`(\w+)`", sentence) == selfroute.__all__


@needs_readme
def test_the_readme_uses_only_public_names() -> None:
    shown = [one for block in _python_blocks(README.read_text(encoding="utf-8")) for one in _imported(block)]
    assert {module for module, _ in shown} >= {"selfroute"}
    for module, name in shown:
        assert module == "selfroute" or module.startswith("selfroute.integrations.")
        assert name in import_module(module).__all__


def test_the_example_in_the_package_docstring_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("handbook.md").write_text("Night work is approved by the harbour master, Olof Berg.\n")
    lines = [line[4:] for line in (selfroute.__doc__ or "").splitlines() if line.startswith("    ")]
    exec("\n".join(lines), {})
    assert "Olof Berg" in capsys.readouterr().out


def _for_type_checkers() -> dict[str, tuple[str, str]]:
    """Public name -> (module, attribute), from the imports under `if TYPE_CHECKING`."""
    tree = ast.parse(inspect.getsource(selfroute))
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    return {
        alias.asname or alias.name: (str(node.module), alias.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def _python_blocks(text: str) -> list[str]:
    return re.findall(r"```(?:python|py)\n(.*?)```", text, flags=re.DOTALL)


def _imported(block: str) -> list[tuple[str, str]]:
    """(module of ours, name)"""
    nodes = [node for node in ast.walk(ast.parse(block)) if isinstance(node, ast.ImportFrom)]
    return [
        (str(node.module), alias.name)
        for node in nodes
        if (node.module or "").startswith("selfroute")
        for alias in node.names
    ]


def _missing() -> dict[str, str]:
    """Types of ours that are not public though annotations reach them, each with the place it was first met.

    Follows the missing ones too, so that the list is all there is to add.
    """
    public = {name: getattr(selfroute, name) for name in selfroute.__all__}
    known: set[int] = {id(value) for value in public.values()}
    waiting = list(public.items())
    missing: dict[str, str] = {}
    while waiting:
        for place, type_ in _reached(*waiting.pop()):
            if id(type_) not in known:
                known.add(id(type_))
                missing[type_.__name__] = place
                waiting.append((type_.__name__, type_))
    return missing


def _reached(name: str, value: Any) -> Iterator[tuple[str, type]]:
    """Our types in the annotations of a function, or of the fields and public methods of a class, with their places."""
    for place, hint in _hints(name, value):
        for type_ in _ours(hint):
            yield place, type_


def _hints(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if get_origin(value) is not None:  # a union of types
        yield name, value
        return
    if not inspect.isclass(value):
        yield from ((f"{name}({key})", hint) for key, hint in get_type_hints(value).items())
        return
    # Not the fields of `Settings`: `load_settings` makes them and configs/default.yaml describes them.
    # Not constructors either: the `build_` functions are what is promised.
    if dataclasses.is_dataclass(value):
        yield from ((f"{name}.{key}", hint) for key, hint in get_type_hints(value).items())
    for key, member in vars(value).items():
        function = _function(member)
        if function is not None and not key.startswith("_"):
            yield from ((f"{name}.{key}({part})", hint) for part, hint in get_type_hints(function).items())


def _function(member: Any) -> Callable[..., Any] | None:
    member = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
    return member if inspect.isfunction(member) and member.__module__.startswith("selfroute") else None


def _ours(hint: Any) -> Iterator[type]:
    """The classes of ours in an annotation, inside of `list[...]`, `X | None`, `Callable[[X], Y]` and so on."""
    if isinstance(hint, list):
        for part in hint:
            yield from _ours(part)
    elif get_origin(hint) is not None:
        for part in get_args(hint):
            yield from _ours(part)
    elif inspect.isclass(hint) and hint.__module__.startswith("selfroute"):
        yield hint
