rule evaluate:
    input:
        segmentation="results/agglomerate/{model}/{agglomeration}/{volume}.h5",
        fragments=fragment_pieces,
        labels=whole_volume,
    output:
        scores="results/evaluate/{model}/{agglomeration}/{volume}.json",
    log:
        "results/logs/evaluate/{model}/{agglomeration}/{volume}.log",
    benchmark:
        "results/benchmarks/evaluate/{model}/{agglomeration}/{volume}.tsv"
    conda:
        "../../envs/agglomerate.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(60),
    params:
        code=fingerprint("evaluate"),
    shell:
        "python -m fgnet.evaluate score --segmentation {input.segmentation:q}"
        " --labels {input.labels:q} --output {output.scores:q} &> {log:q}"


rule evaluate_threshold:
    input:
        scores=validation_scores,
    output:
        threshold="results/evaluate/{model}/{agglomeration}.threshold.json",
    log:
        "results/logs/evaluate/{model}/{agglomeration}.threshold.log",
    benchmark:
        "results/benchmarks/evaluate/{model}/{agglomeration}.threshold.tsv"
    localrule: True
    conda:
        "../../envs/agglomerate.yaml"
    params:
        settings=evaluate_settings,
        code=fingerprint("evaluate"),
    shell:
        "python -m fgnet.evaluate choose --scores {input.scores:q} --output {output.threshold:q}"
        " --settings {params.settings:q} &> {log:q}"


# Centre lines of labels, for volumes that are given no skeletons; config: evaluate.skeletons.
rule evaluate_skeletons:
    input:
        labels=whole_volume,
    output:
        skeletons="results/evaluate/skeletons/{volume}.h5",
    log:
        "results/logs/evaluate/skeletons/{volume}.log",
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
        "python -m fgnet.evaluate skeletons --labels {input.labels:q} --box {params.box:q}"
        " --settings {params.settings:q} --workers {threads}"
        " --output {output.skeletons:q} &> {log:q}"
