rule download:
    input:
        source=local_sources,
    output:
        volume="results/download/{volume}.h5",
    log:
        "results/logs/download/{volume}.log",
        ledger="results/ledger/download/{volume}.json",
    benchmark:
        "results/benchmarks/download/{volume}.tsv"
    conda:
        "../../envs/data.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        settings=download_settings,
        code=fingerprint("download"),
    shell:
        "python -m fgnet.download --ledger {log.ledger:q} volume --volume {wildcards.volume:q}"
        " --settings {params.settings:q} --output {output.volume:q} &> {log[0]:q}"


rule download_sam2:
    output:
        checkpoint="results/download/sam2/{checkpoint}.pt",
        checksum="results/download/sam2/{checkpoint}.pt.sha256",
    log:
        "results/logs/download/sam2/{checkpoint}.log",
        ledger="results/ledger/download/sam2/{checkpoint}.json",
    benchmark:
        "results/benchmarks/download/sam2/{checkpoint}.tsv"
    conda:
        "../../envs/data.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(240),
    params:
        settings=lambda wildcards: CONFIG.download.canonical(),
        code=fingerprint("download"),
    shell:
        "python -m fgnet.download --ledger {log.ledger:q} sam2 --name {wildcards.checkpoint:q}"
        " --settings {params.settings:q} --output {output.checkpoint:q} &> {log[0]:q}"


rule list_datasets:
    log:
        "results/logs/download/datasets.log",
    localrule: True
    conda:
        "../../envs/data.yaml"
    shell:
        "python -m fgnet.settings.datasets 2> {log:q}"
