rule infer_shard:
    input:
        checkpoint="results/train/{model}/checkpoint.pt",
        volume=whole_volume,
    output:
        affinities="results/infer/{model}/{volume}/{shard}-of-{shards}.h5",
    log:
        "results/logs/infer/{model}/{volume}/{shard}-of-{shards}.log",
        ledger="results/ledger/infer/{model}/{volume}/{shard}-of-{shards}.json",
    benchmark:
        "results/benchmarks/infer/{model}/{volume}/{shard}-of-{shards}.tsv"
    conda:
        "../../envs/model.yaml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=growing(16000),
        runtime=growing(720),
    params:
        settings=infer_settings,
        box=box,
        code=fingerprint("infer", "shard"),
    shell:
        "python -m fgnet.infer --ledger {log.ledger:q} shard"
        " --checkpoint {input.checkpoint:q} --volume {input.volume:q}"
        " --box {params.box:q} --shard {wildcards.shard} --shards {wildcards.shards}"
        " --settings {params.settings:q} --output {output.affinities:q}"
        ' --batch "$FGNET_BATCH" --threads {threads} 2>&1 | tee {log[0]:q}'


rule infer:
    input:
        pieces=pieces,
    output:
        affinities="results/infer/{model}/{volume}.h5",
    log:
        "results/logs/infer/{model}/{volume}.log",
        ledger="results/ledger/infer/{model}/{volume}.json",
    benchmark:
        "results/benchmarks/infer/{model}/{volume}.tsv"
    conda:
        "../../envs/model.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(120),
    params:
        code=fingerprint("infer", "join"),
    shell:
        "python -m fgnet.infer --ledger {log.ledger:q} join"
        " --first {input.pieces[0]:q} --output {output.affinities:q}"
        " &> {log[0]:q}"


# Images are few and small beside volumes: one job a set.
rule infer_images:
    input:
        checkpoint="results/train/{model}/checkpoint.pt",
        images=whole_set,
    output:
        chances="results/infer/{model}/{images}.h5",
    log:
        "results/logs/infer/{model}/{images}.log",
        ledger="results/ledger/infer/{model}/{images}.json",
    benchmark:
        "results/benchmarks/infer/{model}/{images}.tsv"
    conda:
        "../../envs/model.yaml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=growing(16000),
        runtime=growing(720),
    params:
        settings=infer_settings,
        ranges=image_ranges,
        code=fingerprint("infer", "images"),
    shell:
        "python -m fgnet.infer --ledger {log.ledger:q} images"
        " --checkpoint {input.checkpoint:q} --images {input.images:q}"
        " --ranges {params.ranges:q} --settings {params.settings:q} --output {output.chances:q}"
        ' --batch "$FGNET_BATCH" --threads {threads} 2>&1 | tee {log[0]:q}'
