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
        code=fingerprint("download", "volume"),
    shell:
        "python -m fgnet.download --ledger {log.ledger:q} volume --volume {wildcards.volume:q}"
        ' --settings {params.settings:q} --fetching "$FGNET_FETCHING"'
        " --output {output.volume:q} 2>&1 | tee {log[0]:q}"


rule download_images:
    input:
        source=image_sources,
    output:
        images="results/download/{images}.h5",
    log:
        "results/logs/download/{images}.log",
        ledger="results/ledger/download/{images}.json",
    benchmark:
        "results/benchmarks/download/{images}.tsv"
    conda:
        "../../envs/data.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        settings=images_download_settings,
        code=fingerprint("download", "images"),
    shell:
        "python -m fgnet.download --ledger {log.ledger:q} images --images {wildcards.images:q}"
        ' --settings {params.settings:q} --fetching "$FGNET_FETCHING"'
        " --output {output.images:q} 2>&1 | tee {log[0]:q}"


# Centre lines that are given with a volume. Apart from it, so that mending them trains nothing anew.
rule download_skeletons:
    input:
        volume="results/download/{volume}.h5",
        source=skeleton_sources,
    output:
        skeletons="results/download/skeletons/{volume}.h5",
    log:
        "results/logs/download/skeletons/{volume}.log",
        ledger="results/ledger/download/skeletons/{volume}.json",
    benchmark:
        "results/benchmarks/download/skeletons/{volume}.tsv"
    conda:
        "../../envs/data.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        settings=skeletons_settings,
        code=fingerprint("download", "skeletons"),
    shell:
        "python -m fgnet.download --ledger {log.ledger:q} skeletons --volume {wildcards.volume:q}"
        ' --input {input.volume:q} --settings {params.settings:q} --fetching "$FGNET_FETCHING"'
        " --output {output.skeletons:q} 2>&1 | tee {log[0]:q}"


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
        code=fingerprint("download", "sam2"),
    shell:
        "python -m fgnet.download --ledger {log.ledger:q} sam2 --name {wildcards.checkpoint:q}"
        ' --fetching "$FGNET_FETCHING" --output {output.checkpoint:q} 2>&1 | tee {log[0]:q}'


# The first SAM, and CLIP's text encoder, each a folder of files.
rule download_pretrained:
    output:
        folder=directory("results/download/pretrained/{weights}"),
    log:
        "results/logs/download/pretrained/{weights}.log",
        ledger="results/ledger/download/pretrained/{weights}.json",
    benchmark:
        "results/benchmarks/download/pretrained/{weights}.tsv"
    conda:
        "../../envs/data.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(240),
    params:
        code=fingerprint("download", "pretrained"),
    shell:
        "python -m fgnet.download --ledger {log.ledger:q} pretrained --name {wildcards.weights:q}"
        ' --fetching "$FGNET_FETCHING" --output {output.folder:q} 2>&1 | tee {log[0]:q}'


rule list_datasets:
    log:
        "results/logs/download/datasets.log",
    localrule: True
    conda:
        "../../envs/data.yaml"
    shell:
        "python -m fgnet.settings.datasets 2> {log:q}"
