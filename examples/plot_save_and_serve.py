"""
How is a pipeline saved today and served tomorrow?
==================================================

A pipeline is saved, loaded by a web service of some twenty lines, and asked by eight callers
at once.

The file is one of skops: plain data, of which nothing is run when it is read. So a service may load
a file of someone else's, if the types in it are those that it trusts. It needs `pip install skops`;
without it joblib does, for files of one's own.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from urllib.request import urlopen

import pandas as pd
import skops.io
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skvae import VAEImputer, VAETransformer, trusted_types

X, y = load_wine(return_X_y=True, as_frame=True)
X = X[["alcohol", "magnesium", "color_intensity", "proline"]]
imputer = VAEImputer(VAETransformer(2, hide=0.2, max_iter=50, random_state=0))
pipeline = make_pipeline(imputer, LogisticRegression(max_iter=5000)).fit(X, y)
folder = TemporaryDirectory()
path = Path(folder.name) / "wine.skops"
skops.io.dump(pipeline, path)
print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")

# %%
# Tomorrow, in another process: the service. It takes rows in JSON, with holes or without, and says
# which wine each is.

model = skops.io.load(path, trusted=trusted_types())
model.predict(X[:1])  # the first call imports TensorFlow and compiles


class Service(BaseHTTPRequestHandler):
    def do_POST(self):
        rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        rows = pd.DataFrame(rows, columns=model.feature_names_in_).astype(float)
        answer = model.predict_proba(rows).round(3).tolist()
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
    """The wine of a row without its magnesium."""
    row = X.iloc[[i % 3]].assign(magnesium=None).to_dict("records")
    with urlopen(f"http://localhost:{server.server_port}", json.dumps(row).encode()) as response:
        return response.read().decode()


with ThreadPoolExecutor(8) as callers:
    answers = list(callers.map(ask, range(48)))
server.shutdown()
server.server_close()
folder.cleanup()

print("shares of the three wines:", answers[0])
print(f"{len(answers)} answers to 3 rows, {len(set(answers))} of them different")
