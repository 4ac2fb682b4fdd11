"""The drawing's side of a panel's chunks, in Python: what static/recording.js does with them."""

import json
from array import array


class Drawing:
    """Takes a panel's chunks as they come; `lacks` counts those that could not be taken."""

    def __init__(self, panel):
        self.texts, self.subjects, self.runs, self.lacks, self.sizes = [], [], {}, 0, []
        self.now = None
        self.take(panel.chunk)
        panel.observe(lambda change: self.take(change.new), "chunk")

    def take(self, chunk):
        length = int.from_bytes(chunk[:4], "little")
        head = json.loads(chunk[4 : 4 + length])
        sources = [self.runs.get((one["source"] or one)["run"]) for one in head["runs"]]
        had = [0 if source is None else len(source["rows"]["time"]) for source in sources]
        short = any(n < one["counts"]["rows"][0] for n, one in zip(had, head["runs"], strict=True))
        if short or head["texts"][0] > len(self.texts):
            self.lacks += 1
            return
        self.sizes.append(len(chunk))
        self.now = head["now"]
        for all_of_them, (start, fresh) in (
            (self.texts, head["texts"]),
            (self.subjects, head["subjects"]),
        ):
            all_of_them[start:] = fresh
        at = -(-(4 + length) // 8) * 8
        for one, source in zip(head["runs"], sources, strict=True):
            run = {}
            for table, columns in head["tables"].items():
                start, end = one["counts"][table]
                run[table] = {}
                for column, kind in columns:
                    values = array(kind, source[table][column][:start] if start else [])
                    size = (end - start) * values.itemsize
                    values.frombytes(chunk[at : at + size])
                    at += -(-size // 8) * 8
                    run[table][column] = values
            self.runs[one["run"]] = run
