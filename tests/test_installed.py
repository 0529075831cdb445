"""What is installed is whole: its command is there, and only what an extra is for needs that extra to be imported."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest
from commands import entered, environment

pytestmark = pytest.mark.end_to_end

OF_EXTRAS = (
    *("datasets", "jieba", "mcp", "onnx", "onnxscript", "opentelemetry.exporter", "opentelemetry.sdk", "pyarrow"),
    *("sentence_transformers", "sklearn", "torch", "transformers", "vllm"),
)
IMPORTED = f"""
import pkgutil, sys
from importlib import import_module
from importlib.abc import MetaPathFinder

import selfroute
from selfroute.errors import MissingExtra

OF_EXTRAS = {OF_EXTRAS!r}


class Missing(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if any(name == one or name.startswith(one + ".") for one in OF_EXTRAS):
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)


sys.meta_path.insert(0, Missing())
for module in pkgutil.walk_packages(selfroute.__path__, "selfroute."):
    if module.name != "selfroute.training.__main__":
        try:
            import_module(module.name)
        except (ModuleNotFoundError, MissingExtra) as error:
            missing = error if isinstance(error, ModuleNotFoundError) else error.__cause__
            print(module.name, next(one for one in OF_EXTRAS if missing.name.startswith(one)))
"""


def test_a_module_that_cannot_be_imported_without_extras_is_of_training_or_for_a_protocol() -> None:
    program = [sys.executable, "-c", IMPORTED]
    done = subprocess.run(program, capture_output=True, text=True, env=environment(), check=False)
    assert done.returncode == 0, done.stderr
    lacking = dict(line.split() for line in done.stdout.splitlines())
    outside = {module: library for module, library in lacking.items() if not module.startswith("selfroute.training.")}
    assert outside == {"selfroute.integrations.mcp": "mcp", "selfroute.server.tracing": "opentelemetry.exporter"}


def test_the_command_is_installed_and_tells_its_version(tmp_path: Path) -> None:
    [command] = entry_points(group="console_scripts", name="selfroute")
    assert command.value == "selfroute.cli:main"
    assert entered("--version", folder=tmp_path) == (0, f"{version('selfroute')}\n", "")
