"""Jobs are durable before they are acknowledged, done one at a time for each corpus, and go on after a restart."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest

from selfroute.errors import CorruptJobs, HomeNotWritable, IndexBusy, KeyReused, QueueFull, UnknownCorpus, UnknownJob
from selfroute.index.files import only_writer
from selfroute.jobs import FOLDER, Ended, Evaluate, Fault, Ingest, Job, Kind, Once, Order, Report, Spooled, State
from selfroute.jobs.spool import Spool
from selfroute.jobs.store import Jobs
from selfroute.jobs.worker import Worker
from selfroute.types import Limits

Wait = Callable[[Callable[[], bool]], None]

MOST = 5
FILES = Ingest((Spooled("00000.md", "a.md", "upload:a.md"),))
LIMITS = Limits(tokens=10, cost=Decimal("0.30"), escalations=None)
RUN = Evaluate(("qasper",), "records.jsonl", ("self_route",), (1, 5), None, "strict", limits=LIMITS, per_minute=5)


@dataclass
class Working:
    """Work that notes what it does and, for corpora in `held`, reports until it is let go."""

    held: set[str] = field(default_factory=set)
    begun: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    fails: dict[str, Exception] = field(default_factory=dict)
    fault: Fault | None = None

    def __call__(self, job: Job, report: Report) -> Ended:
        name = str(job.corpus)
        self.begun.append(job.id)
        if name in self.fails:
            raise self.fails[name]
        pause = threading.Event()
        while name in self.held:
            report(1, 2, "bytes")
            pause.wait(0.005)
        self.ended.append(job.id)
        return Ended({"corpus": name}, self.fault)


@pytest.fixture
def jobs(home: Path) -> Jobs:
    return Jobs(home)


@contextmanager
def working(jobs: Jobs, work: Working, patience: float = 60) -> Iterator[Worker]:
    worker = Worker(jobs, Spool(jobs.folder / "spool"), {Kind.INGEST: work}, patience=patience, poll=0.02)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop(30)


def submitted(jobs: Jobs, id: str, corpus: str = "port", key: str | None = None) -> Job:  # noqa: A002
    return jobs.submit(id, Order(FILES, corpus, key), MOST)[0]


def state(jobs: Jobs, id: str) -> State:  # noqa: A002
    return jobs.get(id).state


def test_a_job_is_there_for_every_process_once_it_is_submitted(home: Path, jobs: Jobs) -> None:
    made, is_new = jobs.submit("1", Order(FILES, "port", "k1"), MOST)
    assert is_new
    assert Jobs(home).get("1") == made
    assert (made.state, made.kind, made.corpus, made.key, made.request) == (
        State.QUEUED,
        Kind.INGEST,
        "port",
        "k1",
        FILES,
    )
    assert jobs.submit("2", Order(RUN), MOST)[0].request == RUN


def test_nothing_is_on_disk_before_the_first_job(home: Path, jobs: Jobs) -> None:
    with working(jobs, Working()):
        assert jobs.listed() == []
        with pytest.raises(UnknownJob):
            jobs.get("1")
    assert not home.exists()


def test_the_same_token_and_request_are_one_job(jobs: Jobs) -> None:
    first, _ = jobs.submit("1", Order(FILES, "port", "k1"), MOST, Once("t", "hash"))
    again, is_new = jobs.submit("2", Order(FILES, "port", "k1"), MOST, Once("t", "hash"))
    assert (again.id, is_new) == (first.id, False)
    assert [job.id for job in jobs.listed()] == ["1"]


def test_the_same_token_with_another_request_is_refused(jobs: Jobs) -> None:
    jobs.submit("1", Order(FILES, "port"), MOST, Once("t", "hash"))
    with pytest.raises(KeyReused):
        jobs.submit("2", Order(FILES, "port"), MOST, Once("t", "other"))
    with pytest.raises(KeyReused):
        jobs.remember(None, Once("t", "hash"))
    with pytest.raises(KeyReused):
        jobs.remembers(None, Once("t", "hash"))


def test_the_token_of_what_is_no_job_is_there_once_it_was_put_down(jobs: Jobs) -> None:
    once = Once("t", "hash")
    assert not jobs.remembers("k1", once)
    assert [jobs.remember("k1", once) for _ in "ab"] == [True, False]
    assert (jobs.remembers("k1", once), jobs.remembers("k2", once)) == (True, False)


def test_a_token_is_its_callers_own(jobs: Jobs) -> None:
    jobs.submit("1", Order(FILES, "port", "k1"), MOST, Once("t", "hash"))
    _, is_new = jobs.submit("2", Order(FILES, "port", "k2"), MOST, Once("t", "other"))
    assert is_new


def test_no_more_jobs_wait_than_may(jobs: Jobs) -> None:
    for number in range(MOST):
        submitted(jobs, str(number))
    with pytest.raises(QueueFull):
        submitted(jobs, "more")
    with pytest.raises(QueueFull):
        jobs.require_room(MOST)


def test_jobs_of_a_corpus_are_done_one_after_the_other_and_others_beside_them(jobs: Jobs, wait_until: Wait) -> None:
    work = Working(held={"port"})
    for id_, corpus in (("1", "port"), ("2", "port"), ("3", "forest")):
        submitted(jobs, id_, corpus)
    with working(jobs, work):
        wait_until(lambda: state(jobs, "3") is State.DONE)
        assert (work.begun, state(jobs, "2")) == (["1", "3"], State.QUEUED)
        wait_until(lambda: jobs.get("1").progress.done == 1)
        work.held.clear()
        wait_until(lambda: state(jobs, "2") is State.DONE)
    assert work.ended == ["3", "1", "2"]
    assert jobs.get("1").result == {"corpus": "port"}


def test_what_a_killed_process_left_running_is_done_by_the_next(home: Path, jobs: Jobs, wait_until: Wait) -> None:
    submitted(jobs, "1")
    begun = jobs.next([Kind.INGEST], ())
    assert begun is not None
    assert begun.state is State.RUNNING
    with working(Jobs(home), Working()):
        wait_until(lambda: state(jobs, "1") is State.DONE)


def test_on_stopping_a_running_job_is_queued_again_and_its_files_stay(jobs: Jobs, wait_until: Wait) -> None:
    work, spool = Working(held={"port"}), Spool(jobs.folder / "spool")
    with spool.receiving("1") as folder:
        (folder / "00000.md").write_text("text")
        submitted(jobs, "1")
    with working(jobs, work):
        wait_until(lambda: state(jobs, "1") is State.RUNNING)
    assert (state(jobs, "1"), work.ended) == (State.QUEUED, [])
    assert (spool.of("1") / "00000.md").exists()
    work.held.clear()
    with working(jobs, work):
        wait_until(lambda: state(jobs, "1") is State.DONE)
        wait_until(lambda: not spool.of("1").exists())


def test_a_queued_job_is_cancelled_at_once(jobs: Jobs) -> None:
    submitted(jobs, "1")
    assert jobs.cancel("1").state is State.CANCELLED
    with working(jobs, work := Working()):
        pass
    assert work.begun == []


def test_a_running_job_is_cancelled_where_it_reports(jobs: Jobs, wait_until: Wait) -> None:
    submitted(jobs, "1")
    work = Working(held={"port"})
    with working(jobs, work):
        wait_until(lambda: work.begun == ["1"])
        assert jobs.cancel("1").state is State.RUNNING
        wait_until(lambda: state(jobs, "1") is State.CANCELLED)
    assert work.ended == []


def test_a_job_that_has_ended_is_not_cancelled(jobs: Jobs, wait_until: Wait) -> None:
    submitted(jobs, "1")
    with working(jobs, Working()):
        wait_until(lambda: state(jobs, "1") is State.DONE)
    assert jobs.cancel("1").state is State.DONE


def test_a_job_waits_while_another_process_writes_its_corpus(home: Path, jobs: Jobs, wait_until: Wait) -> None:
    submitted(jobs, "1")
    work = Working(fails={"port": IndexBusy(home / "port", "process 1")})
    with working(jobs, work):
        wait_until(lambda: len(work.begun) > 1)
        wait_until(lambda: "process 1" in (jobs.get("1").note or ""))
        work.fails.clear()
        wait_until(lambda: state(jobs, "1") is State.DONE)
    assert jobs.get("1").note is None


def test_a_job_fails_once_it_has_waited_long_enough(home: Path, jobs: Jobs, wait_until: Wait) -> None:
    submitted(jobs, "1")
    with working(jobs, Working(fails={"port": IndexBusy(home / "port")}), patience=0.05):
        wait_until(lambda: state(jobs, "1") is State.FAILED)
    error = jobs.get("1").error
    assert error is not None
    assert error.kind == "IndexBusy"


@pytest.mark.parametrize(
    ("error", "kind"), [(UnknownCorpus("port", []), "UnknownCorpus"), (ZeroDivisionError("secret"), "Internal")]
)
def test_a_job_that_raises_has_failed_and_the_next_is_done(
    jobs: Jobs, wait_until: Wait, error: Exception, kind: str
) -> None:
    submitted(jobs, "1")
    submitted(jobs, "2", "forest")
    with working(jobs, Working(fails={"port": error})):
        wait_until(lambda: state(jobs, "2") is State.DONE)
        wait_until(lambda: state(jobs, "1") is State.FAILED)
    told = jobs.get("1").error
    assert told is not None
    assert told.kind == kind
    assert "secret" not in told.detail


def test_work_that_failed_in_part_keeps_its_result(jobs: Jobs, wait_until: Wait) -> None:
    submitted(jobs, "1")
    with working(jobs, Working(fault=Fault("UnreadableFile", "none could be read"))):
        wait_until(lambda: state(jobs, "1") is State.FAILED)
    assert jobs.get("1").result == {"corpus": "port"}


def test_of_two_workers_one_works_and_the_other_takes_over(home: Path, jobs: Jobs, wait_until: Wait) -> None:
    submitted(jobs, "0")
    first, second = Working(), Working()
    with working(Jobs(home), second) as other:
        wait_until(lambda: second.ended == ["0"])
        with working(jobs, first):
            submitted(jobs, "1")
            wait_until(lambda: state(jobs, "1") is State.DONE)
            assert (first.ended, second.ended) == ([], ["0", "1"])
            other.stop(30)
            submitted(jobs, "2")
            wait_until(lambda: first.ended == ["2"])


def test_what_a_killed_process_was_receiving_goes_and_what_is_being_received_stays(
    jobs: Jobs, wait_until: Wait
) -> None:
    spool = Spool(jobs.folder / "spool")
    left = spool.of("left")
    left.mkdir(parents=True)
    (left / "00000.md").write_text("half")
    submitted(jobs, "1")
    with spool.receiving("now") as folder, working(jobs, Working()):
        wait_until(lambda: state(jobs, "1") is State.DONE)
        assert folder.exists()
    assert not left.exists()


def test_what_fails_while_it_is_received_leaves_nothing(home: Path) -> None:
    spool = Spool(home / FOLDER / "spool")

    def receive() -> None:
        with spool.receiving("1") as folder:
            (folder / "00000.md").write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(HomeNotWritable, match="no space left"):
        receive()
    assert not spool.of("1").exists()


def test_jobs_are_listed_by_key_kind_state_and_corpus_the_newest_first(jobs: Jobs) -> None:
    submitted(jobs, "1", "port", "k1")
    submitted(jobs, "2", "forest", "k2")
    jobs.submit("3", Order(RUN, key="k1"), MOST)
    jobs.cancel("2")
    assert [job.id for job in jobs.listed()] == ["3", "2", "1"]
    assert [job.id for job in jobs.listed(key="k1")] == ["3", "1"]
    assert [job.id for job in jobs.listed(kind=Kind.INGEST, state=State.QUEUED)] == ["1"]
    assert [job.id for job in jobs.listed(corpus="forest")] == ["2"]
    assert [job.id for job in jobs.listed(most=1, before="3")] == ["2"]


def test_what_waits_for_a_corpus_that_was_deleted_is_cancelled(jobs: Jobs) -> None:
    submitted(jobs, "1")
    submitted(jobs, "2", "forest")
    assert jobs.drop("port") == ["1"]
    assert (state(jobs, "1"), state(jobs, "2")) == (State.CANCELLED, State.QUEUED)


def test_a_file_that_holds_no_jobs_is_named(jobs: Jobs) -> None:
    jobs.folder.mkdir(parents=True)
    (jobs.folder / "jobs.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(CorruptJobs, match="not a database"):
        submitted(jobs, "1")


def test_jobs_of_a_newer_selfroute_are_refused(jobs: Jobs) -> None:
    submitted(jobs, "1")
    connection = sqlite3.connect(jobs.folder / "jobs.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(CorruptJobs, match="newer selfroute"):
        jobs.get("1")


def test_a_lock_that_another_holds_is_no_reason_to_lose_what_is_submitted(jobs: Jobs, wait_until: Wait) -> None:
    submitted(jobs, "0")
    with only_writer(jobs.folder), working(jobs, work := Working()):
        submitted(jobs, "1")
        assert work.begun == []
    with working(jobs, work):
        wait_until(lambda: work.ended == ["0", "1"])


def test_what_is_being_received_is_never_taken_for_a_leftover(home: Path) -> None:
    spool, ended = Spool(home / "spool"), threading.Event()

    def sweep() -> None:
        while not ended.is_set():
            spool.sweep(lambda: ())

    sweeping = threading.Thread(target=sweep)
    sweeping.start()
    try:
        for number in range(300):
            with spool.receiving(str(number)) as folder:
                (folder / "a.md").write_text("A text.")
                assert (folder / "a.md").read_text() == "A text."
    finally:
        ended.set()
        sweeping.join()
