"""The sales, split: brings the generations in line with the files of tonight.

Every new generation is built under a temporary name and renamed; the list of generations is replaced in one step. A
killed call leaves at most folders that no list names, which the next call removes.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from fullshelf.engine.checks import raise_if_hopeless, rejected_rows, write_rejects
from fullshelf.engine.commit import TEMPORARY
from fullshelf.engine.day_counts import DayCounts
from fullshelf.engine.fingerprints import Known, check_unchanged, combine
from fullshelf.engine.generations import (
    Generation,
    SplitFile,
    load,
    load_one,
    plan,
    save,
    to_merge,
    write_meta,
)
from fullshelf.engine.scan import Scan, open_file, reading
from fullshelf.engine.shard_files import ShardFiles, Splitter
from fullshelf.engine.sources import SourceFile
from fullshelf.engine.split import batches, building, disk_errors, pass_on, typed, value_names
from fullshelf.engine.split_elsewhere import Elsewhere, plan_exchange, remove_exchanges, split_elsewhere
from fullshelf.engine.tables import Table
from fullshelf.engine.watch import Watch
from fullshelf.kernels.partition import FILES

__all__ = ["SalesStore"]


class SalesStore:
    """The generations of one way to read the sales, in one folder.

    Parameters
    ----------
    elsewhere
        Other processes that split what is too much for this one; default: none.
    """

    def __init__(
        self,
        folder: Path,
        table: Table,
        rename: Mapping[str, str],
        shards: int,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self.folder, self.table, self._rename, self.shards = folder, table, rename, shards
        self._elsewhere = elsewhere
        self.generations: list[Generation] = []

    def open(self, file: SourceFile) -> Scan:
        """Open one file of the sales."""
        return open_file(self.table, file, self._rename)

    def update(self, files: list[tuple[SourceFile, Known]], watch: Watch) -> None:
        """Bring the generations in line with the files.

        Raises
        ------
        InputError
            If a new file cannot be used.
        RunError
            If the disk is full.
        """
        with disk_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            before = self.generations = load(self.folder)
            self._remove_others()
            do = plan(before, [known.identity(file) for file, known in files])
            now = do.keep
            if do.merge:
                now = [*now, self._merge(do.merge, watch)]
            now.sort(key=lambda generation: -generation.live_rows)
            new = [files[place] for place in do.new]
            for at in range(0, len(new), FILES):
                now = [*now, self._split(new[at : at + FILES], watch)]
            while young := to_merge(now):
                now = [*now[: len(now) - len(young)], self._merge(young, watch)]
            if [g.folder for g in before] != [g.folder for g in now]:
                save(self.folder, now)
            self.generations = now
            self._remove_others()
            remove_exchanges(self.folder)

    def _split(self, files: list[tuple[SourceFile, Known]], watch: Watch) -> Generation:
        rows = sum(known.rows for _, known in files)
        scans = [self.open(file) for file, _ in files]
        values = value_names(self.table, {name for scan in scans for name in scan.dtypes})
        if self._elsewhere is not None and self._elsewhere.takes(rows):
            exchange = plan_exchange(self.folder, self.table, dict(self._rename), files, values, self.shards)
            return self._place(*split_elsewhere(exchange, self._elsewhere, watch))
        several = len(files) > 1
        with building(self.folder) as temporary:
            splitter = Splitter(temporary, self.shards, values, watch.threads, watch.stop, several)
            try:
                found, done = [], 0
                for number, (scan, (file, known)) in enumerate(zip(scans, files, strict=True)):
                    days = DayCounts()
                    for read, good in batches(scan, typed(self.table, scan, values)):
                        days.take(read, splitter.add(good, number), good["units"].to_numpy())
                        done += read
                        watch.progress("split", done, max(rows, done))
                    rejects = self._rejects(scan, temporary / f"rejects-{number:05d}.parquet", days)
                    check_unchanged([file], [known])
                    found.append(SplitFile(known.identity(file), days.read, rejects, days.counts()))
                shards = splitter.finish(lambda done, of: watch.progress("sort", done, of))
            finally:
                splitter.close()
            return self._place(shards, found)

    def _rejects(self, scan: Scan, path: Path, days: DayCounts) -> str | None:
        """Write the rejected rows of a file, which takes a second look at it; return the file's name."""
        if days.used == days.read:
            return None
        if days.used == 0:
            raise_if_hopeless(self.table, scan)
        with reading(scan.file):
            write_rejects(rejected_rows(self.table, scan), path)
        return path.name

    def _merge(self, generations: list[Generation], watch: Watch) -> Generation:
        """Write generations as one, without the rows that no longer count."""
        found = set().union(*(generation.shards.values for generation in generations))
        values = value_names(self.table, found)
        with building(self.folder) as temporary:
            splitter = Splitter(temporary, self.shards, values, watch.threads, watch.stop)
            files: list[SplitFile] = []
            try:
                numbers = []
                for generation in generations:
                    places = []
                    for file, alive in zip(generation.files, generation.alive, strict=True):
                        places.append(len(files) if alive else None)
                        if alive:
                            files.append(_with_rejects(file, generation.folder, temporary, len(files)))
                    numbers.append(places)
                for shard in range(self.shards):
                    for generation, places in zip(generations, numbers, strict=True):
                        pass_on(splitter, generation.shards, shard, values, places)
                    watch.progress("merge", shard + 1, self.shards)
                shards = splitter.finish(lambda done, of: watch.progress("sort", done, of))
            finally:
                splitter.close()
            return self._place(shards, files)

    def _place(self, shards: ShardFiles, files: list[SplitFile]) -> Generation:
        """Describe a generation that is complete, and give it its name, in one step."""
        write_meta(Generation(shards, tuple(files), (True,) * len(files)))
        folder = self.folder / f"generation-{combine(file.identity for file in files)[:16]}"
        shutil.rmtree(folder, ignore_errors=True)
        shards.folder.rename(folder)
        return load_one(folder)

    def _remove_others(self) -> None:
        wanted = {generation.folder.name for generation in self.generations}
        for folder in self.folder.iterdir():
            if folder.is_dir() and folder.name not in wanted and folder.name.startswith((TEMPORARY, "generation-")):
                shutil.rmtree(folder, ignore_errors=True)


def _with_rejects(file: SplitFile, before: Path, after: Path, number: int) -> SplitFile:
    if file.rejects is None:
        return file
    name = f"rejects-{number:05d}.parquet"
    shutil.copyfile(before / file.rejects, after / name)
    return SplitFile(file.identity, file.read, name, file.days)
