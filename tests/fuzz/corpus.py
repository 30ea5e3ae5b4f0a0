#!/usr/bin/env python3
"""corpus.py VECTORS.tsv FOLDER: writes the bytes of each vector into a file of its own, for
libFuzzer to start from."""

import csv
import os
import sys

vectors, folder = sys.argv[1:]
os.makedirs(folder, exist_ok=True)
with open(vectors, encoding="utf-8", newline="") as file:
    for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
        with open(os.path.join(folder, row["id"]), "wb") as out:
            out.write(bytes.fromhex(row["hex"]))
