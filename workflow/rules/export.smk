rule export_folder:
    input:
        data=export_input,
        pieces=export_pieces,
        threshold=export_threshold,
    output:
        folder=directory("results/export/{place}/{layer}.{kind}"),
    log:
        "results/logs/export/{place}/{layer}.{kind}.log",
        ledger="results/ledger/export/{place}/{layer}.{kind}.json",
    benchmark:
        "results/benchmarks/export/{place}/{layer}.{kind}.tsv"
    wildcard_constraints:
        kind=r"precomputed|ome\.zarr",
    conda:
        "../../envs/export.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(480),
    params:
        box=export_box,
        settings=export_settings,
        code=fingerprint("export", "layer"),
    shell:
        "python -m fgnet.export --ledger {log.ledger:q} layer"
        " --layer {wildcards.layer} --input {input.data:q}"
        " --threshold {input.threshold:q} --box {params.box:q}"
        " --settings {params.settings:q} --output {output.folder:q} 2>&1 | tee {log[0]:q}"


rule export_file:
    input:
        data=export_input,
        pieces=export_pieces,
        threshold=export_threshold,
    output:
        file="results/export/{place}/{layer}.{kind}",
    log:
        "results/logs/export/{place}/{layer}.{kind}.log",
        ledger="results/ledger/export/{place}/{layer}.{kind}.json",
    benchmark:
        "results/benchmarks/export/{place}/{layer}.{kind}.tsv"
    wildcard_constraints:
        kind=r"h5|ome\.tif",
    conda:
        "../../envs/export.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(240),
    params:
        box=export_box,
        code=fingerprint("export", "layer"),
    shell:
        "python -m fgnet.export --ledger {log.ledger:q} layer"
        " --layer {wildcards.layer} --input {input.data:q}"
        " --threshold {input.threshold:q} --box {params.box:q}"
        " --output {output.file:q} 2>&1 | tee {log[0]:q}"


rule export_skeletons:
    input:
        segmentation="results/export/{volume}/{model}/{agglomeration}/segmentation.precomputed",
    output:
        folder=directory(
            "results/export/{volume}/{model}/{agglomeration}/segmentation.skeletons"
        ),
    log:
        "results/logs/export/{volume}/{model}/{agglomeration}/skeletons.log",
        ledger="results/ledger/export/{volume}/{model}/{agglomeration}/skeletons.json",
    benchmark:
        "results/benchmarks/export/{volume}/{model}/{agglomeration}/skeletons.tsv"
    conda:
        "../../envs/skeletons.yaml"
    threads: 4
    resources:
        mem_mb=growing(16000),
        runtime=growing(480),
    params:
        settings=skeleton_settings,
        code=fingerprint("export", "skeletons"),
    shell:
        "python -m fgnet.export --ledger {log.ledger:q} skeletons --input {input.segmentation:q}"
        " --settings {params.settings:q} --workers {threads}"
        " --output {output.folder:q} 2>&1 | tee {log[0]:q}"


rule export_state:
    input:
        volume=whole_volume,
        folders=shown_folders,
    output:
        state="results/export/{volume}/neuroglancer.json",
        links="results/export/{volume}/neuroglancer.html",
    log:
        "results/logs/export/{volume}/neuroglancer.log",
        ledger="results/ledger/export/{volume}/neuroglancer.json",
    benchmark:
        "results/benchmarks/export/{volume}/neuroglancer.tsv"
    localrule: True
    conda:
        "../../envs/export.yaml"
    params:
        parameters=state_parameters,
        code=fingerprint("export", "state"),
    shell:
        "python -m fgnet.export --ledger {log.ledger:q} state --parameters {params.parameters:q}"
        " --output {output.state:q} &> {log[0]:q}"
