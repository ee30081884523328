"""One process that owns the models of all windows of a user.

It speaks the protocol of ``engines/worker`` on a Unix socket. ``process`` is the program, ``pool`` its models, which
windows share, and ``record`` what ended it; ``client`` is a window's side, ``place`` where both meet, and ``messages``
what they say to each other first.
"""
