"""The ledger: what became of each single request, from what its client, the proxy and gunicorn each wrote down.

Every request carries an id: a letter for the client (w the load, p and d the probes through the proxy and direct) and
a running number. After the run the three accounts are put side by side: ``books`` holds them, ``unanswered`` settles
what wrk does not say, ``endings`` decides, ``closing`` counts. A million requests take 4 MB and a few seconds.
"""
