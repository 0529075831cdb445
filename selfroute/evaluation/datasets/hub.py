"""Datasets by name through Hugging Face `datasets` (extra `datasets`), which fetches a file once and keeps it.

The file is then read as any other, row by row: the library's own loaders would guess a schema, and stop at a row
that does not fit it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from selfroute.errors import MissingExtra, UnreadableFile
from selfroute.evaluation.datasets.files import Part
from selfroute.evaluation.datasets.tasks import INFINITEBENCH, LONGBENCH, LONGBENCH_E, LONGBENCH_V2

NAMES = frozenset([*LONGBENCH, *LONGBENCH_E, *LONGBENCH_V2, *INFINITEBENCH])


@dataclass(frozen=True, slots=True)
class Hub:
    """Where the three benchmarks are kept: a zip, a JSON array, and a place with one file a dataset. URLs of the
    Hub, other URLs, or paths. `cache`: where what comes from other URLs is kept; `None` is the library's own place.
    """

    longbench: str = "hf://datasets/zai-org/LongBench/data.zip"
    longbench_v2: str = "hf://datasets/zai-org/LongBench-v2/data.json"
    infinitebench: str = "hf://datasets/xinrongzhang2022/InfiniteBench"
    cache: Path | None = None

    def part(self, dataset: str) -> Part:
        """The file of a dataset of `NAMES`, on this disk. Raises `MissingExtra`, `UnreadableFile`."""
        if dataset in LONGBENCH or dataset in LONGBENCH_E:
            return Part(self._fetched(self.longbench), self.longbench, f"data/{dataset}.jsonl")
        url = self.longbench_v2 if dataset in LONGBENCH_V2 else f"{self.infinitebench}/{dataset}.jsonl"
        return Part(self._fetched(url), url)

    def _fetched(self, url: str) -> Path:
        try:
            from datasets import DownloadConfig, DownloadManager
        except ImportError as error:
            raise MissingExtra("datasets", "datasets") from error
        try:
            config = DownloadConfig(cache_dir=self.cache, max_retries=3)
            return Path(DownloadManager(download_config=config).download(url))
        except Exception as error:  # of several libraries, some without a common root
            kept = _kept(url)
            if kept is not None:
                return kept
            said = (str(error).splitlines() or [type(error).__name__])[0]
            raise UnreadableFile(
                url, f"cannot be fetched ({said}): fetch it in another way, and name the file or the folder it is in"
            ) from error


HUB = Hub()


def _kept(url: str) -> Path | None:
    """What was fetched from the Hub before, for when it cannot be reached."""
    from huggingface_hub import try_to_load_from_cache  # a part of the extra: `datasets` needs it

    if not url.startswith("hf://datasets/"):
        return None
    owner, name, file = url.removeprefix("hf://datasets/").split("/", 2)
    kept = try_to_load_from_cache(f"{owner}/{name}", file, repo_type="dataset")
    return Path(kept) if isinstance(kept, str) else None
