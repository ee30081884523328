"""Engines in a process of their own.

llama.cpp ends the process it runs in where a model's file is not what it expects, and a file that shrinks while it is
mapped does the same. The server must outlive that. ``client`` is the server's side, ``process`` the program that owns
the models, ``messages`` what they say to each other, and ``frames`` how that is written to a pipe.
"""
