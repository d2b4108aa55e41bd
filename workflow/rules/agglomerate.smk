rule agglomerate:
    input:
        affinities="results/infer/{model}/{volume}.h5",
        pieces=pieces,
    output:
        segmentation="results/agglomerate/{model}/{agglomeration}/{volume}.h5",
    log:
        "results/logs/agglomerate/{model}/{agglomeration}/{volume}.log",
    benchmark:
        "results/benchmarks/agglomerate/{model}/{agglomeration}/{volume}.tsv"
    conda:
        "../../envs/agglomerate.yaml"
    resources:
        mem_mb=16000,
        runtime=240,
    params:
        settings=agglomerate_settings,
        code=fingerprint("agglomerate"),
    shell:
        "python -m fgnet.agglomerate --input {input.affinities:q}"
        " --output {output.segmentation:q} --settings {params.settings:q} &> {log:q}"
