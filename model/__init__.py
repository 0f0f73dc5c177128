"""The learner: a small transformer that says what a story is about and whether it is good or bad news, for whom.

    words      labels, errors       nouns; import nothing
    decisions  network, calibrate   tensors in, tensors out
    world      registry, inference, data     files and devices
    steps      pretrain, finetune, search, evaluate
    entry      cli

Import nothing heavy here: `pipeline` reads `model.labels` where a DAG file is parsed.
"""
