#!/usr/bin/env python3
"""Writes down what criterion has measured, and on what machine; all.sh calls it.

    python3 authkit-actix/benches/collect.py LOAD_AVERAGE
"""

import json
import re
import subprocess
import sys
import tomllib
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = ["actix-web", "actix-session", "actix-identity", "aws-lc-rs"]


def output_of(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def machine(load):
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text(encoding="utf-8"))
    version = {package["name"]: package["version"] for package in lock["package"]}
    processors = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return {
        "processor": processors[0],
        "cores": len(processors),
        "linux": output_of("uname", "-r"),
        "date": str(date.today()),
        "load": load,
        "versions": {"Rust": output_of("rustc", "--version").split()[1]} | {name: version[name] for name in LIBRARIES},
    }


def checks():
    """In the order in which they were measured; times in nanoseconds."""
    estimates = (ROOT / "target/criterion").glob("**/new/estimates.json")
    for file in sorted(estimates, key=lambda file: file.stat().st_mtime):
        median = json.loads(file.read_text(encoding="utf-8"))["median"]
        benchmark = json.loads((file.parent / "benchmark.json").read_text(encoding="utf-8"))
        bounds = median["confidence_interval"]
        yield {
            "name": benchmark["full_id"].replace("/", ": "),
            "median": median["point_estimate"],
            "least": bounds["lower_bound"],
            "most": bounds["upper_bound"],
        }


def main():
    for name, content in {"machine": machine(sys.argv[1]), "check": list(checks())}.items():
        file = ROOT / "docs/performance" / f"{name}.json"
        file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


main()
