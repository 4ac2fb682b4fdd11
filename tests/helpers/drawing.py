"""The drawing's side of a panel's chunks, in Python: what static/recording.js does with them."""

from array import array

from statelab.lab.panel.columns import TABLES


class Drawing:
    """Takes a panel's chunks as they come; `lacks` counts those that could not be taken."""

    def __init__(self, panel):
        self.texts, self.subjects, self.runs, self.lacks, self.sizes = [], [], {}, 0, []
        self.now = None
        self.take(panel.chunk)
        panel.observe(lambda change: self.take(change.new), "chunk")

    def take(self, chunk):
        sources = [self.runs.get(one["source"]) for one in chunk["runs"]]
        had = [0 if source is None else len(source["rows"]["time"]) for source in sources]
        short = any(n < one["since"]["rows"] for n, one in zip(had, chunk["runs"], strict=True))
        if short or chunk["texts"][0] > len(self.texts):
            self.lacks += 1
            return
        self.sizes.append(len(repr(chunk)))
        self.now = chunk["now"]
        for all_of_them, (start, fresh) in (
            (self.texts, chunk["texts"]),
            (self.subjects, chunk["subjects"]),
        ):
            all_of_them[start:] = fresh
        for one, source in zip(chunk["runs"], sources, strict=True):
            run = self.runs[one["number"]] = {}
            for table, columns in one["tables"].items():
                start = one["since"][table]
                run[table] = {}
                for column, fresh in columns.items():
                    before = source[table][column][:start] if start else []
                    run[table][column] = array(TABLES[table][column], before)
                    run[table][column].frombytes(fresh)
