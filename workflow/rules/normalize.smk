rule normalize:
    input:
        volume="results/download/{volume}.h5",
        reference=reference_volume,
    output:
        volume="results/normalize/{volume}.h5",
    log:
        "results/logs/normalize/{volume}.log",
        ledger="results/ledger/normalize/{volume}.json",
    benchmark:
        "results/benchmarks/normalize/{volume}.tsv"
    conda:
        "../../envs/data.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
    params:
        settings=normalize_settings,
        code=fingerprint("normalize"),
    shell:
        "python -m fgnet.normalize --ledger {log.ledger:q}"
        " --input {input.volume:q} --reference {input.reference:q}"
        " --output {output.volume:q} --settings {params.settings:q} 2>&1 | tee {log[0]:q}"


rule normalize_images:
    input:
        images="results/download/{images}.h5",
    output:
        images="results/normalize/{images}.h5",
    log:
        "results/logs/normalize/{images}.log",
        ledger="results/ledger/normalize/{images}.json",
    benchmark:
        "results/benchmarks/normalize/{images}.tsv"
    conda:
        "../../envs/data.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
    params:
        settings=images_normalize_settings,
        code=fingerprint("normalize"),
    shell:
        "python -m fgnet.normalize --ledger {log.ledger:q} --input {input.images:q}"
        " --output {output.images:q} --settings {params.settings:q} 2>&1 | tee {log[0]:q}"
