"""Three calls in processes of multiprocessing: workers.py METHOD pool|process."""

import multiprocessing
import sys

import calls

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    if sys.argv[2] == "pool":
        with context.Pool(2) as pool:
            pool.map(calls.connect, [1, 1, 1])
            pool.close()
            pool.join()
    else:
        worker = context.Process(target=calls.connect, args=[3])
        worker.start()
        worker.join()
    calls.connect()
