rule mask:
    input:
        chances="results/infer/{model}/{images}.h5",
    output:
        masks=directory("results/mask/{model}/{images}"),
    log:
        "results/logs/mask/{model}/{images}.log",
        ledger="results/ledger/mask/{model}/{images}.json",
    benchmark:
        "results/benchmarks/mask/{model}/{images}.tsv"
    conda:
        "../../envs/data.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        settings=mask_settings,
        code=fingerprint("mask"),
    shell:
        "python -m fgnet.mask --ledger {log.ledger:q} --input {input.chances:q}"
        " --output {output.masks:q} --settings {params.settings:q} &> {log[0]:q}"
