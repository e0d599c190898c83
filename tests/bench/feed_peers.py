#!/usr/bin/env python3
"""Runs feed_bench and programs of competing systems alternately, and prints
how sluice compares with each: medians over the repetitions of one run, and
their ratio.

  tests/bench/feed_peers.py --peers DIR [--bench build/release/bin/feed_bench]
      [--tables 100,1000] [--consumers 1,4] [--rows 1000000] [--reps 3]
      [--with atomics,redis,nats] [--phases e2e,latency] [--random] [--svg FILE]

DIR has the programs (built), and srv.sh, which starts and stops servers; all
print lines of JSON with the keys that feed_bench prints. Standard library only.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

ROWS_MAX = {"redis": 300_000, "nats": 100_000}  # a broker is slower


def lines_of(command, env):
    """What a program printed as JSON; nothing if it ended badly."""
    try:
        done = subprocess.run(command, env=env, text=True, timeout=300,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except subprocess.TimeoutExpired:
        print(f"feed_peers: {command[0]}: not done in 300 s", file=sys.stderr)
        return []
    if done.returncode != 0:
        print(f"feed_peers: {' '.join(command)}: exit status {done.returncode}"
              f"\n{done.stderr}", file=sys.stderr)
    return [json.loads(x) for x in done.stdout.splitlines()
            if x.startswith("{")]


class Subject:
    """A program that is measured."""

    def __init__(self, name, how):
        self.name = name
        self.how = how
        self.env = dict(os.environ, PEERS_DATA=how.data)

    def rows(self):
        return min(self.how.rows, ROWS_MAX.get(self.name, self.how.rows))

    def run(self, tables, consumers, rep):
        how = self.how
        if self.name == "sluice":
            command = [how.bench, "--tables", str(tables), "--consumers",
                       str(consumers), "--rows", str(how.rows), "--phases",
                       how.phases, "--rep", str(rep)]
            return lines_of(command + (["--random"] if how.random else []),
                            self.env)
        common = ["--T", str(tables), "--C", str(consumers), "--N",
                  str(self.rows()), "--rep", str(rep), "--lat_secs", "3",
                  "--phases", how.phases]
        if self.name == "atomics":
            order = "random" if how.random else "rr"
            return lines_of([f"{how.peers}/bench_inproc", "--dir", how.data,
                             "--design", "atomics", "--order", order] + common,
                            self.env)
        mode = {"redis": "ckpt", "nats": "pertable"}[self.name]
        self.server("start")
        try:
            with open(f"{how.data}/{self.name}.pid") as file:
                pid = file.read().strip()
            return lines_of([f"{how.peers}/bench_{self.name}", "--mode", mode,
                             "--server-pid", pid] + common, self.env)
        finally:
            self.server("stop")

    def server(self, what):
        subprocess.run([f"{self.how.peers}/srv.sh", what, self.name],
                       env=self.env, check=True)


class Results:
    """Figures by (phase, tables, consumers, subject)."""

    def __init__(self):
        self.all = {}

    def add(self, subject, tables, consumers, lines):
        for x in lines:
            if not x["ok"]:
                sys.exit(f"feed_peers: {subject} is wrong: {x}")
            key = (x["phase"], tables, consumers, subject)
            self.all.setdefault(key, []).append(x)

    def median(self, key, figure):
        found = [x[figure] for x in self.all.get(key, []) if figure in x]
        return statistics.median(found) if found else None

    def print(self, subjects):
        cells = sorted({key[:3] for key in self.all})
        for phase in dict.fromkeys(x[0] for x in cells):
            figures = (["p50_us", "p99_us"] if phase == "latency"
                       else ["events_per_s", "srv_rss_mb"])
            print(f"\n{phase}\n\n| tables | consumers | program | "
                  + " | ".join(figures) + " | sluice / it |")
            print("|---|---|---|" + "---|" * (len(figures) + 1))
            for cell in cells:
                if cell[0] == phase:
                    self.print_cell(cell, subjects, figures)

    def print_cell(self, cell, subjects, figures):
        ours = [self.median(cell + ("sluice",), x) for x in figures]
        for subject in subjects:
            values = [self.median(cell + (subject,), x) for x in figures]
            if values[0] is None:
                continue
            ratio = f"{ours[0] / values[0]:.2f}" if ours[0] else ""
            print(f"| {cell[1]:,} | {cell[2]} | {subject} | "
                  + " | ".join(f"{x:,.0f}" for x in values) + f" | {ratio} |")


def draw(results, subjects, path):
    """Bars of e2e per cell and program, as SVG."""
    cells = sorted({key[1:3] for key in results.all if key[0] == "e2e"})
    colours = {"sluice": "#1f6f8b", "atomics": "#c2703d", "redis": "#8a8a8a",
               "nats": "#b9b23a"}
    bars = [(cell, subject, results.median(("e2e",) + cell + (subject,),
                                           "events_per_s"))
            for cell in cells for subject in subjects]
    bars = [x for x in bars if x[2]]
    if not bars:
        return
    most = max(x[2] for x in bars)
    height, left, width = 18, 170, 640
    out = []
    for i, (cell, subject, value) in enumerate(bars):
        y = 40 + i * height
        length = value / most * (width - left - 90)
        label = f"T={cell[0]:,} C={cell[1]} {subject}"
        out.append(f'<text x="{left - 6}" y="{y + 12}" text-anchor="end">'
                   f'{label}</text><rect x="{left}" y="{y}" '
                   f'width="{length:.1f}" height="{height - 4}" '
                   f'fill="{colours[subject]}"/><text '
                   f'x="{left + length + 5:.1f}" y="{y + 12}">'
                   f'{value / 1e6:.2f}</text>')
    with open(path, "w") as file:
        file.write(
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
            f'height="{50 + len(bars) * height}" font-family="sans-serif" '
            'font-size="11"><rect width="100%" height="100%" fill="white"/>'
            '<text x="10" y="20" font-size="13">Rows delivered, million a '
            'second: source and consumers at once</text>' + "".join(out)
            + "</svg>\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--bench", default="build/release/bin/feed_bench")
    parser.add_argument("--peers", required=True)
    parser.add_argument("--data", default="/var/tmp/feed_peers")
    parser.add_argument("--tables", default="100,1000")
    parser.add_argument("--consumers", default="1,4")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--with", dest="others", default="atomics")
    parser.add_argument("--phases", default="e2e")
    parser.add_argument("--random", action="store_true")
    parser.add_argument("--svg")
    how = parser.parse_args()
    os.makedirs(how.data, exist_ok=True)
    subjects = ["sluice"] + how.others.split(",")
    results = Results()
    for tables in map(int, how.tables.split(",")):
        for consumers in map(int, how.consumers.split(",")):
            for rep in range(1, how.reps + 1):
                for name in subjects:
                    lines = Subject(name, how).run(tables, consumers, rep)
                    results.add(name, tables, consumers, lines)
    results.print(subjects)
    if how.svg:
        draw(results, subjects, how.svg)


if __name__ == "__main__":
    main()
