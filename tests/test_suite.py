"""Suites say what is run on what: in a file whose paths are its own, or on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from data import data, needs_data

from selfroute.errors import InvalidSettings
from selfroute.evaluation import suite as suites
from selfroute.evaluation.datasets import DATASETS
from selfroute.evaluation.suite import POLICIES, Suite, chosen, read_suite
from selfroute.policies import POLICIES as ALL_POLICIES
from selfroute.settings import load

PROJECT = Path(__file__).resolve().parents[1]
SHIPPED = sorted((PROJECT / "eval" / "suites").glob("*.yaml"))


def written(folder: Path, text: str, name: str = "mine.yaml") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def read_by(suite: Suite) -> list[str]:
    return [*suite.sources, *([str(suite.replay)] if suite.replay else [])]


def documented() -> dict[str, object]:
    """The suite that the module's docstring shows."""
    return yaml.safe_load("\n".join((suites.__doc__ or "").splitlines()[2:]))  # type: ignore[no-any-return]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_suite_of_the_project_can_be_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")  # paths are the suite's own, wherever it is run from
    monkeypatch.setenv("SELFROUTE_DATA", "/data")
    suite = read_suite(path)
    assert suite.name == path.stem
    assert set(suite.policies) <= {*ALL_POLICIES, "calibrated"}
    load(base=suite.settings)
    for source in read_by(suite):
        if "/" not in source:
            assert source in DATASETS
        elif not source.startswith("/data/"):
            assert PROJECT in Path(source).resolve().parents
            assert Path(source).is_file(), source


@needs_data
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_data_that_a_suite_of_the_project_names_are_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFROUTE_DATA", str(data().resolve()))
    for source in read_by(read_suite(path)):
        assert "/" not in source or Path(source).is_file(), source


def test_data_are_named_below_the_folder_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SELFROUTE_DATA", "/data")
    text = "files: [$SELFROUTE_DATA/a.jsonl, '${SELFROUTE_DATA}/b/c.zip', $HOME/d.json]\nreplay: $SELFROUTE_DATA/said\n"
    suite = read_suite(written(tmp_path, text))
    assert suite.sources == ("/data/a.jsonl", "/data/b/c.zip", f"{tmp_path}/$HOME/d.json")
    assert suite.replay == Path("/data/said")


@pytest.mark.parametrize(
    "text", ["files: [$SELFROUTE_DATA/a.jsonl]\n", "files: [qasper]\nreplay: $SELFROUTE_DATA/said\n"]
)
@pytest.mark.parametrize("folder", [None, ""])
def test_data_that_are_nowhere_are_told_with_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, folder: str | None
) -> None:
    monkeypatch.delenv("SELFROUTE_DATA", raising=False)
    if folder is not None:
        monkeypatch.setenv("SELFROUTE_DATA", folder)
    with pytest.raises(
        InvalidSettings, match=r"reads \$SELFROUTE_DATA/.+, but SELFROUTE_DATA is not set: set it to the"
    ):
        read_suite(written(tmp_path, text))


def test_the_suites_are_those_that_are_promised() -> None:
    assert {path.stem for path in SHIPPED} >= {"smoke", "dev", "paper", "replay"}


def test_the_keys_that_are_documented_are_those_that_are_accepted() -> None:
    assert list(documented()) == list(suites._File.model_fields)


def test_the_documented_suite_says_the_defaults(tmp_path: Path) -> None:
    shown = documented()
    whole = read_suite(written(tmp_path, yaml.safe_dump(shown)))
    least = read_suite(written(tmp_path, yaml.safe_dump({"files": shown["files"], "k": shown["k"]})))
    assert whole == least
    assert whole.policies == POLICIES


def test_paths_are_relative_to_the_suite_and_names_stay_names(tmp_path: Path) -> None:
    text = "files: [a.jsonl, ../b/c.zip, /d/e.json, qasper]\nreplay: said\n"
    suite = read_suite(written(tmp_path, text))
    assert suite.sources == (f"{tmp_path}/a.jsonl", f"{tmp_path}/../b/c.zip", "/d/e.json", "qasper")
    assert suite.replay == tmp_path / "said"


def test_what_a_suite_names_twice_is_done_once(tmp_path: Path) -> None:
    text = "files: [qasper, qasper]\npolicies: [always_rag, self_route, always_rag]\nk: [5, 1, 5]\n"
    suite = read_suite(written(tmp_path, text))
    assert (suite.sources, suite.policies, suite.ks) == (("qasper",), ("always_rag", "self_route"), (5, 1))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the whole file"),
        ("- a.jsonl\n", "the whole file"),
        ("files: [\n", "is not YAML"),
        ("files: \0\n", "is not YAML"),
        ("k: [5]\n", "files: field required"),
        ("files: []\n", "files: list should have at least 1 item"),
        ("files: a.jsonl\n", "files: input should be a valid list"),
        ("files: [a.jsonl]\npolicy: [self_route]\n", "policy: extra inputs are not permitted"),
        ("files: [a.jsonl]\npolicies: []\n", "policies: list should have at least 1 item"),
        ("files: [a.jsonl]\nk: 5\n", "k: input should be a valid list"),
        ("files: [a.jsonl]\nk: [5, many]\n", "k.1: input should be a valid integer"),
        ("files: [a.jsonl]\nlimit: 0\n", "limit: input should be greater than or equal to 1"),
        ("files: [a.jsonl]\nmode: loose\n", "mode: input should be 'strict' or 'fixed'"),
        ("files: [a.jsonl]\nsettings: [k]\n", "settings: input should be a valid dictionary"),
    ],
)
def test_a_suite_that_cannot_be_used_is_told_with_its_file_and_place(tmp_path: Path, text: str, told: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InvalidSettings) as error:
        read_suite(path)
    assert str(path) in str(error.value)
    assert told in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_a_suite_that_is_not_there_or_no_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match=r"cannot read .*none\.yaml: no such file"):
        read_suite(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes("files: [Hafenübersicht.jsonl]".encode("latin-1"))
    with pytest.raises(InvalidSettings, match=r"latin\.yaml is not YAML"):
        read_suite(tmp_path / "latin.yaml")


def test_datasets_of_a_command_line_make_a_suite_named_after_them() -> None:
    assert chosen(["data/qasper_e.jsonl.gz", "hotpotqa"]) == Suite(
        "qasper_e-hotpotqa", ("data/qasper_e.jsonl.gz", "hotpotqa")
    )


def test_a_suite_of_many_datasets_has_a_name_that_fits_a_file_system() -> None:
    assert chosen([f"data/one-of-many-long-names-{n}.jsonl" for n in range(40)]).name == (
        "one-of-many-long-names-0-and-39-more"
    )


def test_what_a_command_line_names_twice_is_done_once() -> None:
    suite = chosen(["a.jsonl", "b.jsonl", "a.jsonl"], ["self_route", "self_route"], [5, 1, 5])
    assert (suite.sources, suite.policies, suite.ks) == (("a.jsonl", "b.jsonl"), ("self_route",), (5, 1))


def test_what_is_given_beside_a_suite_overrides_it(tmp_path: Path) -> None:
    path = written(tmp_path, "files: [qasper]\npolicies: [always_rag]\nk: [5]\nlimit: 9\nmode: fixed\nreplay: said\n")
    assert chosen([str(path)]) == read_suite(path)
    other = chosen([str(path)], ["self_route"], [1, 2], 3, "strict")
    assert (other.policies, other.ks, other.limit, other.mode) == (("self_route",), (1, 2), 3, "strict")
    assert (other.name, other.sources, other.replay) == ("mine", ("qasper",), tmp_path / "said")


def test_a_suite_is_run_alone(tmp_path: Path) -> None:
    path = str(written(tmp_path, "files: [qasper]\n"))
    for sources in ([path, path], [path, "qasper"], ["qasper", str(tmp_path / "other.yml")]):
        with pytest.raises(InvalidSettings, match="is a suite: run it alone"):
            chosen(sources)


def test_an_unknown_mode_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidSettings, match="mode is 'loose'; have: strict, fixed"):
        chosen(["qasper"], mode="loose")
