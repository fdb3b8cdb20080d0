"""Submits chunks of 32 as tasks of SqliteHuey, a task queue on SQLite, and keeps the answers in SQLite.

    huey_client.py ENDPOINT TOKEN_FILE DATABASE CHUNKS

The queue is durable (fsync) and a task is taken from it before its request is sent: at most once, without an intent
that could be looked up after a crash. 32 worker threads, each with a connection that stays open and with its own
connection to the database of the answers (WAL, synchronous=FULL, one commit a chunk, one row a chunk). The tasks are in
the queue before the workers start; putting them there is not part of what is measured at the simulator.
"""

import http.client
import json
import logging
import sqlite3
import sys
import threading
import time
import urllib.parse
import uuid

from huey import SqliteHuey
from huey.consumer import Consumer

IN_FLIGHT = 32
endpoint, token_file, path, count = sys.argv[1:]
address = urllib.parse.urlsplit(endpoint)
huey = SqliteHuey("bench", filename=path + ".queue", fsync=True, results=False)
own = threading.local()
with open(token_file) as file:
    token = file.read().strip()


def connect(path):
    database = sqlite3.connect(path, isolation_level=None, timeout=60, check_same_thread=False)
    database.execute("PRAGMA synchronous = FULL")
    return database


@huey.task()
def submit(chunk):
    if not hasattr(own, "http"):
        own.http = http.client.HTTPConnection(address.hostname, address.port)
        own.database = connect(path)
    names = [f"p{chunk}x{i}" for i in range(32)]
    body = json.dumps({"command": "ls", "instance_ids": names})
    headers = {"X-Auth-Token": token, "x-request-id": uuid.uuid4().hex, "Content-Type": "application/json"}
    own.http.request("POST", "/v1/instances/async-command", body, headers)
    answer = json.loads(own.http.getresponse().read())
    jobs = {job["instance_id"]: job["job_id"] for job in answer["data"]["cmd_jobs"]}
    own.database.execute(
        "INSERT INTO answers VALUES (?, ?, ?)",
        (chunk, answer["data"]["task_id"], json.dumps([jobs[name] for name in names])),
    )


def main():
    logging.disable(logging.INFO)
    database = connect(path)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE answers (chunk INTEGER PRIMARY KEY, task_id TEXT NOT NULL, jobs TEXT NOT NULL) STRICT")
    huey.storage.conn.execute("PRAGMA synchronous = OFF")
    for chunk in range(int(count)):
        submit(chunk)
    huey.storage.close()
    consumer = Consumer(huey, workers=IN_FLIGHT, periodic=False, initial_delay=0.01, max_delay=0.05, backoff=1.15)
    consumer.start()
    while database.execute("SELECT count(*) FROM answers").fetchone()[0] < int(count):
        time.sleep(0.1)
    consumer.stop(graceful=True)
    database.close()


if __name__ == "__main__":
    main()
