"""Runs llama-server in a process of its own.

``python -m codegemma_lsp.benchmarks.typing.baseline_server MODEL THREADS CONTEXT BATCH GPU``
"""

from __future__ import annotations

import sys

import xllamacpp


def main() -> None:
    model, threads, context, batch, layers = sys.argv[1], *map(int, sys.argv[2:6])
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.n_ctx, params.n_batch, params.n_ubatch, params.n_parallel = context, batch, batch, 1
    params.n_cache_reuse, params.n_gpu_layers = 256, layers
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.endpoint_slots, params.port, params.verbosity, params.warmup = True, 0, -1, True
    server = xllamacpp.Server(params)
    kernels = " ".join(xllamacpp.get_system_info().split())
    sys.stdout.write(f"\nKERNELS {kernels}\nLISTENING {server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
