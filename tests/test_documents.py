"""A document is split and embedded once, however often and by whomever it is asked for; the cache may be lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from selfroute.embedders import Embedded, Embedder
from selfroute.embedders.hashing import HashingEmbedder
from selfroute.errors import HomeNotWritable, UnusableIndex
from selfroute.evaluation.documents import DocumentCache
from selfroute.types import Chunk, Document, Hit


def document(name: str, words: int = 200) -> Document:
    sentences = [f"Remark {n} of {name} tells of tide, wind and weather\u2028." for n in range(words // 10)]
    return Document(name, " ".join(sentences), name)


@contextmanager
def cache(
    folder: Path, embedder: Embedder | None = None, tokens: int = 40, words: int | None = None
) -> Iterator[DocumentCache]:
    path = folder / "deep" / "cache.sqlite"
    with closing(DocumentCache(path, embedder or HashingEmbedder(), tokens, words)) as opened:
        yield opened


def contents(cached: DocumentCache, wanted: Document) -> tuple[list[Chunk], tuple[Hit, ...]]:
    """The chunks of a document, and what a search in it finds."""
    with closing(cached.index(wanted)) as index:
        query = HashingEmbedder().embed(["Remark 7 of the weather"]).vectors[0]
        return index.chunks(wanted.id), index.search(query, 5)


def test_a_document_is_embedded_at_the_first_need_and_never_again(tmp_path: Path) -> None:
    with cache(tmp_path) as cached:
        first = contents(cached, document("a"))
        assert cached.embedded == len(first[0]) > 3
        assert contents(cached, document("a")) == first
        assert cached.embedded == len(first[0])
    with cache(tmp_path) as later:
        assert contents(later, document("a")) == first
        assert later.embedded == 0


def test_chunks_are_slices_of_the_document(tmp_path: Path) -> None:
    wanted = document("a")
    for _ in range(2):  # made, then found
        with cache(tmp_path) as cached:
            for chunk in contents(cached, wanted)[0]:
                assert wanted.text[chunk.start : chunk.end] == chunk.text
                assert chunk.document == "a"
                assert chunk.tokens == HashingEmbedder().count_tokens(chunk.text)


def test_the_same_text_under_another_name_is_the_same_document(tmp_path: Path) -> None:
    one = document("a")
    other = Document("b", one.text, "elsewhere")
    with cache(tmp_path) as cached:
        contents(cached, one)
        before = cached.embedded
        chunks, hits = contents(cached, other)
        assert cached.embedded == before
        assert {chunk.document for chunk in chunks} == {hit.chunk.document for hit in hits} == {"b"}


def test_another_text_another_size_and_another_embedder_are_embedded_anew(tmp_path: Path) -> None:
    with cache(tmp_path) as cached:
        contents(cached, document("a"))
        before = cached.embedded
        contents(cached, document("b"))
        assert cached.embedded > before
    with cache(tmp_path, tokens=80) as longer:
        chunks, _ = contents(longer, document("a"))
        assert longer.embedded == len(chunks) < before
    with cache(tmp_path, words=10) as shorter:
        chunks, _ = contents(shorter, document("a"))
        assert shorter.embedded == len(chunks) > before
    with cache(tmp_path, HashingEmbedder(32)) as other, closing(other.index(document("a"))):
        assert other.embedded == before


def test_a_document_that_could_not_be_embedded_is_tried_again(tmp_path: Path) -> None:
    embedder = Failing()
    with cache(tmp_path, embedder) as cached:
        with pytest.raises(RuntimeError, match="out of memory"):
            cached.index(document("a"))
        embedder.failing = False
        assert contents(cached, document("a"))[0]


def test_an_index_may_be_closed_before_or_after_its_cache(tmp_path: Path) -> None:
    with cache(tmp_path) as cached:
        cached.index(document("a")).close()
        index = cached.index(document("a"))
    assert index.document("a") == document("a")
    index.close()


def test_threads_may_ask_for_the_same_documents_at_once(tmp_path: Path) -> None:
    wanted = [document(f"d{n % 5}") for n in range(40)]
    with cache(tmp_path) as cached, ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda one: contents(cached, one), wanted))
    assert all(found[n] == found[n % 5] for n in range(40))
    assert embedded_anew(tmp_path, 5) == 0


@pytest.mark.end_to_end
def test_processes_may_fill_one_cache_at_once(tmp_path: Path, processes: ForkServerContext) -> None:
    started = [processes.Process(target=fill, args=(tmp_path, 20)) for _ in range(3)]
    for process in started:
        process.start()
    for process in started:
        process.join(60)
    assert [process.exitcode for process in started] == [0, 0, 0]
    assert embedded_anew(tmp_path, 20) == 0


@pytest.mark.end_to_end
def test_a_document_that_is_found_needs_no_splitter(tmp_path: Path) -> None:
    """It takes a second to import, which a run that goes on need not spend."""
    fill(tmp_path, 1)
    program = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_documents import fill
fill(Path({str(tmp_path)!r}), 1)
print("llama_index" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


@pytest.mark.parametrize("content", [b"this is no database", b"\0" * 5000])
def test_a_file_that_is_no_cache_is_told_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "deep" / "cache.sqlite"
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(UnusableIndex, match="remove it, it is only a cache") as error, cache(tmp_path):
        pass
    assert str(path) in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_a_cache_that_is_cut_off_is_told_when_it_is_met(tmp_path: Path) -> None:
    fill(tmp_path, 20)
    path = tmp_path / "deep" / "cache.sqlite"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UnusableIndex, match="remove it, it is only a cache"):
        fill(tmp_path, 20)


def test_a_place_that_cannot_be_written_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeNotWritable, match="set SELFROUTE_HOME"):
        DocumentCache(tmp_path / "file" / "cache.sqlite", HashingEmbedder(), 40)
    with pytest.raises(HomeNotWritable, match="set SELFROUTE_HOME"):
        DocumentCache(tmp_path, HashingEmbedder(), 40)


class Failing(HashingEmbedder):
    failing = True

    def embed(self, texts: Sequence[str]) -> Embedded:
        if self.failing:
            raise RuntimeError("out of memory")
        return super().embed(texts)


def fill(folder: Path, documents: int) -> None:
    with cache(folder) as cached:
        for number in range(documents):
            cached.index(document(f"d{number}")).close()


def embedded_anew(folder: Path, documents: int) -> int:
    """How many chunks of these documents are not in the cache."""
    with cache(folder) as cached:
        for number in range(documents):
            cached.index(document(f"d{number}")).close()
        return cached.embedded
