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
        code=fingerprint("infer"),
    shell:
        "python -m fgnet.infer --ledger {log.ledger:q} shard"
        " --checkpoint {input.checkpoint:q} --volume {input.volume:q}"
        " --box {params.box:q} --shard {wildcards.shard} --shards {wildcards.shards}"
        " --settings {params.settings:q} --output {output.affinities:q}"
        " --threads {threads} 2>&1 | tee {log[0]:q}"


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
        code=fingerprint("infer"),
    shell:
        "python -m fgnet.infer --ledger {log.ledger:q} join"
        " --first {input.pieces[0]:q} --output {output.affinities:q}"
        " &> {log[0]:q}"
