rule evaluate:
    input:
        segmentation="results/agglomerate/{model}/{agglomeration}/{volume}.h5",
        fragments=fragment_pieces,
        labels=whole_volume,
    output:
        scores="results/evaluate/{model}/{agglomeration}/{volume}.json",
        overlaps="results/evaluate/{model}/{agglomeration}/{volume}.overlaps.h5",
    log:
        "results/logs/evaluate/{model}/{agglomeration}/{volume}.log",
        ledger="results/ledger/evaluate/{model}/{agglomeration}/{volume}.json",
    benchmark:
        "results/benchmarks/evaluate/{model}/{agglomeration}/{volume}.tsv"
    conda:
        "../../envs/agglomerate.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(60),
    params:
        settings=scoring_settings,
        code=fingerprint("evaluate", "score"),
    shell:
        "python -m fgnet.evaluate --ledger {log.ledger:q} score"
        " --segmentation {input.segmentation:q}"
        " --labels {input.labels:q} --output {output.scores:q}"
        " --overlaps {output.overlaps:q} --settings {params.settings:q} 2>&1 | tee {log[0]:q}"


rule evaluate_threshold:
    input:
        scores=validation_scores,
    output:
        threshold="results/evaluate/{model}/{agglomeration}.threshold.json",
    log:
        "results/logs/evaluate/{model}/{agglomeration}.threshold.log",
        ledger="results/ledger/evaluate/{model}/{agglomeration}.threshold.json",
    benchmark:
        "results/benchmarks/evaluate/{model}/{agglomeration}.threshold.tsv"
    localrule: True
    conda:
        "../../envs/agglomerate.yaml"
    params:
        settings=evaluate_settings,
        code=fingerprint("evaluate", "choose"),
    shell:
        "python -m fgnet.evaluate --ledger {log.ledger:q} choose"
        " --scores {input.scores:q} --output {output.threshold:q}"
        " --settings {params.settings:q} &> {log[0]:q}"


rule evaluate_neurons:
    input:
        overlaps="results/evaluate/{model}/{agglomeration}/{volume}.overlaps.h5",
        segmentation="results/agglomerate/{model}/{agglomeration}/{volume}.h5",
        scores="results/evaluate/{model}/{agglomeration}/{volume}.json",
        threshold="results/evaluate/{model}/{agglomeration}.threshold.json",
    output:
        neurons="results/evaluate/{model}/{agglomeration}/{volume}.neurons.json",
    log:
        "results/logs/evaluate/{model}/{agglomeration}/{volume}.neurons.log",
        ledger="results/ledger/evaluate/{model}/{agglomeration}/{volume}.neurons.json",
    benchmark:
        "results/benchmarks/evaluate/{model}/{agglomeration}/{volume}.neurons.tsv"
    conda:
        "../../envs/agglomerate.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        share=CONFIG.evaluate.smallest_share,
        code=fingerprint("evaluate", "neurons"),
    shell:
        "python -m fgnet.evaluate --ledger {log.ledger:q} neurons"
        " --overlaps {input.overlaps:q}"
        " --segmentation {input.segmentation:q} --scores {input.scores:q}"
        " --threshold {input.threshold:q} --output {output.neurons:q}"
        " --smallest-share {params.share:q} &> {log[0]:q}"


# Along skeletons, which need no labels, and apart from the pass over all voxels.
rule evaluate_run_lengths:
    input:
        segmentation="results/agglomerate/{model}/{agglomeration}/{volume}.h5",
        fragments=fragment_pieces,
        skeletons=lines,
        threshold="results/evaluate/{model}/{agglomeration}.threshold.json",
    output:
        run_lengths="results/evaluate/{model}/{agglomeration}/{volume}.run_lengths.json",
    log:
        "results/logs/evaluate/{model}/{agglomeration}/{volume}.run_lengths.log",
        ledger="results/ledger/evaluate/{model}/{agglomeration}/{volume}.run_lengths.json",
    benchmark:
        "results/benchmarks/evaluate/{model}/{agglomeration}/{volume}.run_lengths.tsv"
    conda:
        "../../envs/agglomerate.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        tolerance=CONFIG.evaluate.tolerance,
        code=fingerprint("evaluate", "run_lengths"),
    shell:
        "python -m fgnet.evaluate --ledger {log.ledger:q} run_lengths"
        " --segmentation {input.segmentation:q} --skeletons {input.skeletons:q}"
        " --threshold {input.threshold:q} --output {output.run_lengths:q}"
        " --tolerance {params.tolerance:q} &> {log[0]:q}"


# Centre lines of labels, for volumes that are given no skeletons; config: evaluate.skeletons.
rule evaluate_skeletons:
    input:
        labels=whole_volume,
    output:
        skeletons="results/evaluate/skeletons/{volume}.h5",
    log:
        "results/logs/evaluate/skeletons/{volume}.log",
        ledger="results/ledger/evaluate/skeletons/{volume}.json",
    benchmark:
        "results/benchmarks/evaluate/skeletons/{volume}.tsv"
    conda:
        "../../envs/skeletons.yaml"
    threads: 4
    resources:
        mem_mb=growing(16000),
        runtime=growing(480),
    params:
        box=box,
        settings=deriving_settings,
        code=fingerprint("evaluate", "skeletons"),
    shell:
        "python -m fgnet.evaluate --ledger {log.ledger:q} skeletons"
        " --labels {input.labels:q} --box {params.box:q}"
        " --settings {params.settings:q} --workers {threads}"
        " --output {output.skeletons:q} 2>&1 | tee {log[0]:q}"


rule evaluate_masks:
    input:
        chances="results/infer/{model}/{images}.h5",
        images=whole_set,
    output:
        scores="results/evaluate/{model}/{images}.json",
    log:
        "results/logs/evaluate/{model}/{images}.log",
        ledger="results/ledger/evaluate/{model}/{images}.json",
    benchmark:
        "results/benchmarks/evaluate/{model}/{images}.tsv"
    conda:
        "../../envs/agglomerate.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        settings=masks_settings,
        ranges=image_ranges,
        code=fingerprint("evaluate", "masks"),
    shell:
        "python -m fgnet.evaluate --ledger {log.ledger:q} masks"
        " --chances {input.chances:q} --labels {input.images:q} --ranges {params.ranges:q}"
        " --output {output.scores:q} --settings {params.settings:q} 2>&1 | tee {log[0]:q}"
