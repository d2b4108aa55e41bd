rule evaluate:
    input:
        segmentation="results/agglomerate/{model}/{agglomeration}/{volume}.h5",
        fragments=fragment_pieces,
        labels=whole_volume,
    output:
        scores="results/evaluate/{model}/{agglomeration}/{volume}.json",
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
        code=fingerprint("evaluate"),
    shell:
        "python -m fgnet.evaluate --ledger {log.ledger:q} score"
        " --segmentation {input.segmentation:q}"
        " --labels {input.labels:q} --output {output.scores:q} &> {log[0]:q}"


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
