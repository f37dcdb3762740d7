"""What only the inside of a cluster can see, for `rayplat verify`: a pod runs this.

The one argument says what to look at, as JSON. The answer, JSON too, goes where Kubernetes
looks for a container's last words (`terminationMessagePath`): no access to logs is needed.
It has one of `seen` (what was measured), `failed` (Ray did not do it) or `not_run` (why
nothing was measured). Needs Python alone; what is to run on Ray is handed over as a job.

Sources: https://docs.ray.io/en/latest/cluster/running-applications/job-submission/rest.html,
https://docs.ray.io/en/latest/serve/api/index.html#serve-rest-api
"""

import base64
import concurrent.futures
import http.client
import json
import os
import pathlib
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid

# Seconds that one request may take; a user would have gone by then.
PATIENCE = 10
# A job says its result on a line that begins with this.
RESULT = "rayplat-verify:"
# Exists once there is something to see: the pod's readiness asks for it.
READY = pathlib.Path(os.environ.get("RAYPLAT_READY", "/tmp/ready"))
# Where the answer goes; 4096 bytes at most.
ANSWER = pathlib.Path(os.environ.get("RAYPLAT_ANSWER", "/dev/termination-log"))

NAME = "rayplat-verify"

# An application that answers, on workers alone: the head has no CPUs to give.
DEPLOY = """
import json
from ray import serve

@serve.deployment(num_replicas=2, ray_actor_options={"num_cpus": 0.01})
class Echo:
    def __call__(self, request):
        return "here"

import ray
ray.init()
before = bool(serve.status().applications)
serve.start(http_options={"host": "0.0.0.0", "port": 8000, "location": "EveryNode"})
serve.run(Echo.bind(), name=NAME, route_prefix="/" + NAME)
print(RESULT + json.dumps({"others": before}))
"""

# Serve goes with it where nobody else uses it.
REMOVE = """
import json, ray
from ray import serve
ray.init()
serve.delete(NAME)
if not serve.status().applications:
    serve.shutdown()
print(RESULT + json.dumps({}))
"""

# Fills one worker's object store beyond its size and reads all of it back.
SPILL = """
import json
import time
import ray
from ray._private.internal_api import node_stats
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

ray.init()
MIB = 1024 * 1024

def stores():
    for node in ray.nodes():
        store = node["Resources"].get("object_store_memory", 0)
        if node["Alive"] and node["Resources"].get("CPU", 0) > 0 and store > 0:
            yield store, node

def spilled(node):
    return node_stats(node["NodeManagerAddress"], node["NodeManagerPort"]).store_stats.spilled_bytes_total

@ray.remote(num_cpus=0.01, max_restarts=0, max_task_retries=0)
class Filler:
    def fill(self, count, size):
        self.held = [ray.put(bytes([number % 256]) * size) for number in range(count)]
        return len(self.held)

    def check(self):
        # One at a time: what was read makes room for the next.
        wrong = 0
        for number, one in enumerate(self.held):
            data = ray.get(one)
            wrong += data[:1] != bytes([number % 256]) or data[-1:] != bytes([number % 256])
            del data
        return wrong

# A head that has just come back learns of its workers one by one.
for _ in range(60):
    found = sorted(stores(), key=lambda one: one[0])
    if found:
        break
    time.sleep(1)
if not found:
    print(RESULT + json.dumps({"not_run": "no worker with CPUs is there"}))
else:
    store, node = found[0]
    size = max(MIB, int(store / 64))
    count = int(store * FACTOR / size) + 1
    before = spilled(node)
    there = NodeAffinitySchedulingStrategy(node_id=node["NodeID"], soft=False)
    filler = Filler.options(scheduling_strategy=there).remote()
    made = ray.get(filler.fill.remote(count, size))
    wrong = ray.get(filler.check.remote())
    print(RESULT + json.dumps({"seen": {
        "store_mib": int(store) // MIB, "made_mib": made * size // MIB,
        "spilled_mib": (spilled(node) - before) // MIB, "wrong": wrong,
    }}))
"""


class NotRun(Exception):
    """Nothing was measured; why."""


class Failed(Exception):
    """Ray was asked and did not do it; why."""


class Dashboard:
    """The head's HTTP interface."""

    def __init__(self, url, token):
        self.url = url
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def ask(self, path, body=None):
        headers = dict(self.headers)
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(self.url + path, data, headers)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    def run(self, code, seconds, **values):
        """Runs Python on the cluster, as a job; what it gives as its result."""
        head = "".join(f"{name} = {value!r}\n" for name, value in {"RESULT": RESULT, "NAME": NAME, **values}.items())
        packed = base64.b64encode((head + code).encode()).decode()
        entrypoint = f"python -c \"import base64; exec(base64.b64decode('{packed}'))\""
        until = time.monotonic() + seconds
        job = self.submitted(entrypoint, until)
        while True:
            told = self.ask(f"/api/jobs/{job}")
            if told["status"] in ("SUCCEEDED", "FAILED", "STOPPED"):
                break
            if time.monotonic() > until:
                raise NotRun(f"the job {job} is still {told['status']} after {seconds} s")
            time.sleep(0.5)
        # Ray's own line with the entrypoint says nothing to people.
        lines = [line for line in self.ask(f"/api/jobs/{job}/logs")["logs"].splitlines() if packed not in line]
        last = "\n".join(lines).strip()[-600:]
        if told["status"] != "SUCCEEDED":
            raise Failed(f"the job {job} {told['status'].lower()}: {last or told.get('message')}")
        results = [line for line in lines if line.startswith(RESULT)]
        if not results:
            raise Failed(f"the job {job} gave no result: {last}")
        return json.loads(results[-1][len(RESULT) :])

    def submitted(self, entrypoint, until):
        """Hands a job over, as soon as the head takes it; the job's name."""
        # A name of our own: if the answer is lost, the job is not handed over twice.
        name = f"rayplat-verify-{uuid.uuid4().hex[:12]}"
        while True:
            try:
                return self.ask("/api/jobs/", {"entrypoint": entrypoint, "submission_id": name})["submission_id"]
            except (OSError, http.client.HTTPException, ValueError) as error:
                why = said(error)
                if f"{name} already exists" in why:
                    return name
                if time.monotonic() > until:
                    raise NotRun(f"the head takes no jobs at {self.url}: {why}") from error
            time.sleep(1)

    def serves(self):
        """Whether the head answers, knows of applications, and all of them run."""
        try:
            applications = self.ask("/api/serve/applications/")["applications"].values()
        except (OSError, http.client.HTTPException, ValueError, KeyError):
            return False
        return bool(applications) and all(one["status"] == "RUNNING" for one in applications)


def said(error):
    """An error in few words, with what the server said."""
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code} {error.read(2000).decode(errors='replace')[-300:]}".strip()
    reason = getattr(error, "reason", error)
    return f"{type(reason).__name__}: {reason}"


def get(url):
    """One request on a connection of its own; what went wrong, or nothing."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            answer.read()
            return None
    except (OSError, http.client.HTTPException) as error:
        return said(error)


class Traffic:
    """Requests at a steady rate, whatever becomes of those before."""

    def __init__(self, urls, rate):
        self.urls, self.rate = urls, rate
        self.lock = threading.Lock()
        self.errors, self.milliseconds = [], []
        self.stopped = threading.Event()
        self.pool = concurrent.futures.ThreadPoolExecutor(max_workers=rate * PATIENCE)
        self.sender = threading.Thread(target=self.send)

    def send(self):
        number, began = 0, time.monotonic()
        while not self.stopped.wait(max(0, began + number / self.rate - time.monotonic())):
            self.pool.submit(self.one, self.urls[number % len(self.urls)])
            number += 1

    def one(self, url):
        began = time.monotonic()
        error = get(url)
        with self.lock:
            self.milliseconds.append((time.monotonic() - began) * 1000)
            if error:
                self.errors.append(error)

    def forget(self):
        """Counts from here on."""
        with self.lock:
            self.errors, self.milliseconds = [], []

    def answered(self):
        with self.lock:
            return len(self.milliseconds), len(self.errors)

    def stop(self):
        self.stopped.set()
        self.sender.join()
        self.pool.shutdown()


def answering(urls, until):
    """Those of the addresses that answer: workers without a replica have no proxy."""
    while True:
        tried = [(url, get(url)) for url in urls]
        good = [url for url, error in tried if error is None]
        if good:
            return good
        if time.monotonic() > until:
            raise NotRun(f"nothing answers at {tried[0][0]}: {tried[0][1]}" if tried else "there is no worker to ask")
        time.sleep(0.5)


def failover(asked):
    """Sends requests while somebody else takes the head away, until it is back."""
    dashboard = Dashboard(asked["dashboard"], asked.get("token"))
    own = asked.get("path") is None
    if own:
        dashboard.run(DEPLOY, asked["start_seconds"])
    try:
        path = f"/{NAME}" if own else asked["path"]
        until = time.monotonic() + asked["start_seconds"]
        urls = answering([target + path for target in asked["targets"]], until)
        traffic = Traffic(urls, asked["rate"])
        traffic.sender.start()
        try:
            steady(traffic, dashboard, until)
            traffic.forget()
            READY.touch()
            away, back = watch(dashboard, asked["limit_seconds"], asked["settle_seconds"])
        finally:
            traffic.stop()
    finally:
        left = own and not removed(dashboard)
    times = sorted(traffic.milliseconds)
    return {
        "requests": len(times),
        "failed": len(traffic.errors),
        "errors": sorted(set(traffic.errors))[:3],
        "p50_ms": round(at(times, 0.5), 1),
        "p99_ms": round(at(times, 0.99), 1),
        "addresses": len(urls),
        "went_away": away is not None,
        "recovery_s": round(back - away, 1) if away is not None and back is not None else None,
        "left_behind": left,
    }


def steady(traffic, dashboard, until):
    """Waits for three seconds without an error, and a head that serves."""
    while True:
        traffic.forget()
        time.sleep(3)
        answered, failed = traffic.answered()
        if answered and not failed and dashboard.serves():
            return
        if time.monotonic() > until:
            raise NotRun(f"before the head was touched, {failed} of {answered} requests failed: {traffic.errors[:1]}")


def watch(dashboard, limit, settle):
    """When the head went away, and when it was back for good."""
    until = time.monotonic() + limit
    away = back = None
    while time.monotonic() < until:
        now = time.monotonic()
        if not dashboard.serves():
            away, back = away or now, None
        elif away is not None:
            back = back or now
            if now - back >= settle:
                return away, back
        time.sleep(0.25)
    return away, back


def removed(dashboard):
    try:
        dashboard.run(REMOVE, 60)
    except (NotRun, Failed, OSError, http.client.HTTPException, ValueError):
        return False
    return True


def at(ordered, share):
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def dns(asked):
    """Asks for names, ten times a second, for a while."""
    READY.touch()
    times, errors = [], []
    until, number = time.monotonic() + asked["seconds"], 0
    while time.monotonic() < until:
        name, began = asked["names"][number % len(asked["names"])], time.monotonic()
        try:
            socket.getaddrinfo(name, 443, type=socket.SOCK_STREAM)
        except OSError as error:
            errors.append(f"{name}: {error}")
        times.append((time.monotonic() - began) * 1000)
        number += 1
        time.sleep(max(0, began + 0.1 - time.monotonic()))
    times.sort()
    return {
        "lookups": len(times),
        "failed": len(errors),
        "errors": sorted(set(errors))[:3],
        "p50_ms": round(at(times, 0.5), 2),
        "p99_ms": round(at(times, 0.99), 2),
    }


def spill(asked):
    """Fills a worker's object store beyond its size."""
    READY.touch()
    dashboard = Dashboard(asked["dashboard"], asked.get("token"))
    told = dashboard.run(SPILL, asked["limit_seconds"], FACTOR=asked["factor"])
    if "not_run" in told:
        raise NotRun(told["not_run"])
    return told["seen"]


def main():
    asked = json.loads(sys.argv[1])
    asked.setdefault("token", os.environ.get("RAY_AUTH_TOKEN"))
    try:
        answer = {"seen": {"failover": failover, "dns": dns, "spill": spill}[asked["look"]](asked)}
    except NotRun as why:
        answer = {"not_run": str(why)}
    except Failed as why:
        answer = {"failed": str(why)}
    except Exception as error:  # What went wrong is the answer, not a lost pod.
        answer = {"not_run": f"{type(error).__name__}: {error}"}
    ANSWER.write_text(json.dumps(answer)[:4096])


if __name__ == "__main__":
    main()
