"""Ways to train on several devices at once, timed beside parallel GLEAM by `benchmarks.parallel`.

`ways` trains, `worker` is one of the processes that do, and `crew` tells them what to do next.
"""
