"""Endpoints over champions in memory."""

import datetime as dt
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field

import uvicorn
from asgi import Client

from assay.promotion.champion import ChampionEntry
from assay.results.trained_model import TrainedModel
from serving.admission import Limits
from serving.application import application
from serving.champion_follower import ChampionFollower
from serving.keys import Keys
from serving.protocol import BoundedHead

NO_KEYS = Keys(())


@dataclass
class Shelf:
    """A registered model in memory: its versions, and the entry that names the champion."""

    models: dict[str, TrainedModel] = field(default_factory=dict)
    current: ChampionEntry | None = None
    error: Exception | None = None
    loads: list[str] = field(default_factory=list)
    is_fixed: bool = False

    def promote(self, version: str, model: TrainedModel | None = None) -> None:
        if model is not None:
            self.models[version] = model
        number = self.current.number + 1 if self.current else 1
        self.current = ChampionEntry(
            number=number, event="promoted", registered_name="flats", version=version, digest=f"digest of {version}",
            created_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        )  # fmt: skip

    def entry(self):
        if self.error is not None:
            raise self.error
        return self.current

    def load(self, entry):
        self.loads.append(entry.version)
        found = self.models[entry.version]
        if isinstance(found, Exception):
            raise found
        return found, "# flats"


def follower_of(shelf, **options):
    """Return a follower that has asked once."""
    made = ChampionFollower(shelf, **options)
    made.evaluate()
    return made


def endpoint(model, *, limits=None, keys=NO_KEYS, **options):
    """Return a client of an endpoint that serves a model as version 1."""
    shelf = Shelf()
    shelf.promote("1", model)
    return Client(application(follower_of(shelf, **options), limits or Limits(), keys))


@contextmanager
def listening(app):
    """Run an application on a free port of this machine in a thread, as the endpoint's processes run it; give the port."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, http=BoundedHead, ws="none", log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    thread = threading.Thread(target=server.run, args=([socket],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield socket.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(30)
