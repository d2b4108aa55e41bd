rule evaluate:
    input:
        segmentation="results/agglomerate/{model}/{agglomeration}/{volume}.h5",
        fragments=fragment_pieces,
        labels=whole_volume,
        skeletons=lines,
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
        code=fingerprint("evaluate"),
    shell:
        "python -m fgnet.evaluate --ledger {log.ledger:q} score"
        " --segmentation {input.segmentation:q}"
        " --labels {input.labels:q} --output {output.scores:q}"
        " --overlaps {output.overlaps:q} --skeletons {input.skeletons:q}"
        " --settings {params.settings:q} &> {log[0]:q}"


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
        code=fingerprint("evaluate"),
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
        code=fingerprint("evaluate"),
    shell:
        "python -m fgnet.evaluate --ledger {log.ledger:q} neurons"
        " --overlaps {input.overlaps:q}"
        " --segmentation {input.segmentation:q} --scores {input.scores:q}"
        " --threshold {input.threshold:q} --output {output.neurons:q}"
        " --smallest-share {params.share} &> {log[0]:q}"


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
        code=fingerprint("evaluate"),
    shell:
        "python -m fgnet.evaluate --ledger {log.ledger:q} skeletons"
        " --labels {input.labels:q} --box {params.box:q}"
        " --settings {params.settings:q} --workers {threads}"
        " --output {output.skeletons:q} &> {log[0]:q}"
