"""Judges programs that a model wrote. Each runs behind walls of the system, and its tests run in another process, so
that no program can say of itself that it passed them. A program without a separate test says itself that it ran to its
end, and one that is written to deceive can say so wrongly. Of the evaluations, only the tests that a model wrote in
``eval edits`` are judged so.
"""
