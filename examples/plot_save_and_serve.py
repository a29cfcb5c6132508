"""
Save a model, and serve it
==========================

A model is saved today and answers a web service tomorrow: here to eight callers at once.

The file is one of skops: plain data, of which nothing is run when it is read. So a service may load
a file of someone else's, if the types in it are those that it trusts. It needs `pip install skops`.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import mkdtemp
from threading import Thread
from urllib.request import urlopen

import pandas as pd
import skops.io
from sklearn.datasets import load_wine

from skvae import VAETransformer, trusted_types

wine = load_wine(as_frame=True).data[["alcohol", "magnesium", "color_intensity", "proline"]]
path = Path(mkdtemp()) / "wine.skops"
skops.io.dump(VAETransformer(latent_dim=2, max_iter=50, random_state=0).fit(wine), path)

# %%
# Tomorrow, in another process: the service.

vae = skops.io.load(path, trusted=trusted_types())
vae.score_samples(wine[:1])  # the first call imports TensorFlow and compiles


class Service(BaseHTTPRequestHandler):
    """Takes rows in JSON, says how likely they are and fills their holes."""

    def do_POST(self):
        rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        rows = pd.DataFrame(rows, columns=wine.columns).astype(float)
        answer = {
            "nats": vae.score_samples(rows).tolist(),
            "filled": vae.impute(rows).to_dict("list"),
        }
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_):
        """Nothing is printed for each call."""


server = ThreadingHTTPServer(("localhost", 0), Service)
Thread(target=server.serve_forever, daemon=True).start()

# %%
# Its callers: the same row gets the same answer, whoever else asks.


def ask(i):
    """The answer to a row without its magnesium."""
    row = wine.iloc[[i % 3]].assign(magnesium=None).to_dict("records")
    with urlopen(f"http://localhost:{server.server_port}", json.dumps(row).encode()) as response:
        return response.read().decode()


with ThreadPoolExecutor(8) as callers:
    answers = list(callers.map(ask, range(48)))
server.shutdown()
path.unlink()

print(answers[0])
print(f"{len(answers)} answers to 3 rows, {len(set(answers))} of them different")
assert len(set(answers)) == 3
