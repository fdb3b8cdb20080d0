"""Submits chunks of 32 with asyncio, aiohttp and uvloop, and keeps the answers in SQLite.

    asyncio_client.py ENDPOINT TOKEN_FILE DATABASE CHUNKS

What a Python engineer would write who wants it fast: 32 requests in flight on connections that stay open, one row a
chunk with its task_id and the job_ids as JSON, WAL with synchronous=FULL. A worker takes its next chunk when the row
of the last one is durable; answers that come meanwhile share a commit, which a thread makes so that requests go on.
No intent is stored before a request: after a crash nobody knows which chunks were sent. No retries, no results.
"""

import asyncio
import json
import sqlite3
import sys
import uuid

import aiohttp
import uvloop

IN_FLIGHT = 32


def open_database(path):
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE answers (chunk INTEGER PRIMARY KEY, task_id TEXT NOT NULL, jobs TEXT NOT NULL) STRICT")
    return database


def store(database, rows):
    database.execute("BEGIN IMMEDIATE")
    database.executemany("INSERT INTO answers VALUES (?, ?, ?)", rows)
    database.execute("COMMIT")


async def record(database, answers):
    """Makes answers durable, as many in one commit as have come while the last one was made."""
    loop = asyncio.get_running_loop()
    while True:
        batch = [await answers.get()]
        while not answers.empty():
            batch.append(answers.get_nowait())
        await loop.run_in_executor(None, store, database, [row for row, _ in batch])
        for _, durable in batch:
            durable.set_result(None)


async def work(session, url, headers, chunks, answers):
    loop = asyncio.get_running_loop()
    for chunk in chunks:
        body = {"command": "ls", "instance_ids": [f"p{chunk}x{i}" for i in range(32)]}
        async with session.post(url, json=body, headers={**headers, "x-request-id": uuid.uuid4().hex}) as response:
            answer = await response.json()
        if answer["error_code"] != "0":
            raise SystemExit(f"refused: {answer}")
        jobs = {job["instance_id"]: job["job_id"] for job in answer["data"]["cmd_jobs"]}
        durable = loop.create_future()
        row = (chunk, answer["data"]["task_id"], json.dumps([jobs[name] for name in body["instance_ids"]]))
        answers.put_nowait((row, durable))
        await durable


async def main(endpoint, token_file, path, count):
    with open(token_file) as file:
        headers = {"X-Auth-Token": file.read().strip()}
    database = open_database(path)
    answers = asyncio.Queue()
    chunks = iter(range(count))
    connector = aiohttp.TCPConnector(limit=IN_FLIGHT)
    async with aiohttp.ClientSession(connector=connector) as session:
        recorder = asyncio.create_task(record(database, answers))
        url = endpoint + "/v1/instances/async-command"
        await asyncio.gather(*(work(session, url, headers, chunks, answers) for _ in range(IN_FLIGHT)))
        recorder.cancel()
    database.close()


if __name__ == "__main__":
    endpoint, token_file, path, count = sys.argv[1:]
    uvloop.run(main(endpoint, token_file, path, int(count)))
