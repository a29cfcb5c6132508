"""Fits of tables beyond memory: seconds and memory as rows grow, beside those of rows in memory.

    python benchmarks/bench_blocks.py make FOLDER 1000000  # Parquet files of rows like Adult's
    python benchmarks/bench_blocks.py run FOLDER 100000 1000000  # so many of their rows

The rows are drawn from a model of Adult's 15 columns (`SKVAE_DATA`, or OpenML). Each run is a
process of its own: 2 epochs of a fit, and codes of all rows written to Parquet. Memory is the peak
beyond what imports and a small fit took. Of rows in memory the file is read within the time of the
fit.
"""

import argparse
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import numpy as np
import pandas as pd
from machine import machine

FILE = 500_000  # rows of a file
SETTINGS = {"latent_dim": 4, "max_iter": 2, "early_stopping": False, "random_state": 0}


def adult():
    """The table as it is given."""
    if "SKVAE_DATA" in os.environ:
        file = Path(os.environ["SKVAE_DATA"], "tabular", "adult.data.gz")
        table = pd.read_csv(file, header=None, skipinitialspace=True)
        return table.rename(columns=str)
    from sklearn.datasets import fetch_openml

    return fetch_openml("adult", version=2, as_frame=True).frame


def make(folder, n):
    """Files of rows drawn from a model."""
    from skvae import VAETransformer

    folder.mkdir(parents=True, exist_ok=True)
    vae = VAETransformer(8, prior="fitted", random_state=0, max_iter=30).fit(adult())
    for k in range(-(-n // FILE)):
        rows = vae.sample(min(FILE, n - k * FILE), random_state=k)
        rows.to_parquet(folder / f"{k:04d}.parquet", index=False)
    print(f"{n} rows in {folder}")


def resident(which):
    """In bytes, as the system counts them."""
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith(which))


def one(folder, n, in_memory):
    """The figures of one fit of the first n rows."""
    from pyarrow import dataset
    from pyarrow.parquet import ParquetFile

    from skvae import Blocks, VAETransformer

    files = sorted(folder.glob("[0-9]*.parquet"))[: -(-n // FILE)]
    few = next(ParquetFile(files[0]).iter_batches(2000)).to_pandas()
    VAETransformer(**SETTINGS).fit(few).transform(few)
    before = resident("VmRSS")
    start, of_processors = perf_counter(), process_time()
    if in_memory:
        X = pd.concat(map(pd.read_parquet, files))[:n]
    else:
        X = Blocks.of_dataset(dataset.dataset(files))
        if n % FILE:
            X = Blocks(lambda: [pd.read_parquet(files[0])[:n]])
    vae = VAETransformer(**SETTINGS).fit(X)
    fitted, of_processors = perf_counter(), process_time() - of_processors
    peak = resident("VmHWM")
    if in_memory:
        vae.transform(X)
    else:
        with TemporaryDirectory(dir=folder) as place:
            vae.transform(X).to_parquet(Path(place, "codes.parquet"))
    return {
        "rows": n,
        "where": "memory" if in_memory else "blocks",
        "fit s": fitted - start,
        "CPU s": of_processors,
        "rows a second and epoch": 2 * n / (fitted - start),
        "transform s": perf_counter() - fitted,
        "MB beyond imports, fit": (peak - before) / 1e6,
        "MB beyond imports, all": (resident("VmHWM") - before) / 1e6,
        "lower bound": vae.lower_bound_,
    }


def run(folder, sizes, most_in_memory):
    """A table of all sizes, each in a process of its own."""
    rows = []
    for n in sizes:
        for where in ["blocks"] + ["memory"] * (n <= most_in_memory):
            command = [sys.executable, __file__, where, str(folder), str(n)]
            printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            rows.append(json.loads(printed.splitlines()[-1]))
            print(pd.DataFrame(rows[-1:]).round(3).to_string(index=False, header=len(rows) == 1))
    streamed = pd.DataFrame(rows).query("where == 'blocks'")
    if len(streamed) > 1:
        slope = np.polyfit(np.log(streamed["rows"]), np.log(streamed["fit s"]), 1)[0]
        print(f"seconds of a fit grow as rows ** {slope:.3f}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["make", "run", "blocks", "memory"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("rows", type=int, nargs="+")
    parser.add_argument("--most-in-memory", type=int, default=2_000_000)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.what == "make":
        make(arguments.folder, *arguments.rows)
    elif arguments.what == "run":
        print(machine())
        run(arguments.folder, arguments.rows, arguments.most_in_memory)
    else:
        print(json.dumps(one(arguments.folder, *arguments.rows, arguments.what == "memory")))


if __name__ == "__main__":
    main()
