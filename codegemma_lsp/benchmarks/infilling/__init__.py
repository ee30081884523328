"""How good suggestions are: tasks, answers by the engine or the whole pipeline, judged by execution and likeness."""
