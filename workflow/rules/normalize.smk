rule normalize:
    input:
        volume="results/download/{volume}.h5",
    output:
        volume="results/normalize/{volume}.h5",
    log:
        "results/logs/normalize/{volume}.log",
    benchmark:
        "results/benchmarks/normalize/{volume}.tsv"
    conda:
        "../../envs/data.yaml"
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        settings=lambda wildcards: CONFIG.normalize.canonical(),
        code=fingerprint("normalize"),
    shell:
        "python -m fgnet.normalize --input {input.volume:q} --output {output.volume:q}"
        " --settings {params.settings:q} &> {log:q}"
