"""The host's HTTP door, for clients of OpenAI's interface: ``codegemma-lsp host --listen``.

``listening`` has the socket and the thread, ``connections`` ends those without a request, ``guard`` says who may enter,
and ``app`` has the paths. ``lending`` has the engines that requests may use, and ``loading`` awaits them. ``bodies``
has what a request may ask, ``running`` one generation, ``events`` what is answered, and ``metrics`` what is counted.
"""
