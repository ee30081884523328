"""llama-server in a process of its own: ``python -m codegemma_lsp.bench.peer_server MODEL THREADS CONTEXT BATCH``.

Prints its address on a line after ``LISTENING``, and serves until its input ends. The settings are those that
llama.vscode starts it with, on one slot; a batch larger than the context allows would make it refuse long prompts.
"""

from __future__ import annotations

import sys

import xllamacpp


def main() -> None:
    model, threads, context, batch = sys.argv[1], *map(int, sys.argv[2:5])
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.n_ctx, params.n_batch, params.n_ubatch, params.n_parallel = context, batch, batch, 1
    params.n_cache_reuse = 256
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.endpoint_slots, params.port, params.verbosity, params.warmup = True, 0, -1, True
    server = xllamacpp.Server(params)
    sys.stdout.write(f"\nLISTENING {server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
