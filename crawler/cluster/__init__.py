"""A run on several machines: the same shards and the same signatures, worked on by a Dask cluster.

Dask distributed decides which worker does what, and does again what a lost worker left. Only plain
data crosses the wire: names of our own functions, and bytes. Answers and evidence do not: each
worker writes them into the run's storage, where the first to finish an attempt wins.

    wire.py         what crosses the wire
    leases.py       which worker may ask an endpoint how hard, and until when
    work.py         runs in the workers
    coordinator.py  runs in the command
"""
