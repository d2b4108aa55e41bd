# Methods that need all voxels at once, and all methods while one job does: a job per volume.
rule agglomerate:
    input:
        affinities="results/infer/{model}/{volume}.h5",
        pieces=pieces,
    output:
        segmentation="results/agglomerate/{model}/{agglomeration}/{volume}.h5",
    log:
        "results/logs/agglomerate/{model}/{agglomeration}/{volume}.log",
        ledger="results/ledger/agglomerate/{model}/{agglomeration}/{volume}.json",
    benchmark:
        "results/benchmarks/agglomerate/{model}/{agglomeration}/{volume}.tsv"
    wildcard_constraints:
        agglomeration=names(set(CONFIG.agglomerate.methods) - set(SCATTERED)),
    conda:
        "../../envs/agglomerate.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(480),
    params:
        settings=agglomerate_settings,
        code=fingerprint("agglomerate", "volume"),
    shell:
        "python -m fgnet.agglomerate --ledger {log.ledger:q} volume --input {input.affinities:q}"
        " --output {output.segmentation:q} --settings {params.settings:q} 2>&1 | tee {log[0]:q}"


# The others by several jobs. A job reads what it needs of its neighbours through the one file over
# their pieces, which keeps their checksums; were all pieces its inputs, a plan of n jobs would
# have n * n of them.
rule agglomerate_fragments:
    input:
        affinities="results/infer/{model}/{volume}.h5",
    output:
        fragments="results/agglomerate/{model}/{agglomeration}/{volume}/fragments/{shard}-of-{shards}.h5",
    log:
        "results/logs/agglomerate/{model}/{agglomeration}/{volume}/fragments/{shard}-of-{shards}.log",
        ledger="results/ledger/agglomerate/{model}/{agglomeration}/{volume}/fragments/{shard}-of-{shards}.json",
    benchmark:
        "results/benchmarks/agglomerate/{model}/{agglomeration}/{volume}/fragments/{shard}-of-{shards}.tsv"
    wildcard_constraints:
        agglomeration=names(SCATTERED),
    conda:
        "../../envs/agglomerate.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        settings=fragment_settings,
        code=fingerprint("agglomerate", "fragments"),
    shell:
        "python -m fgnet.agglomerate --ledger {log.ledger:q} fragments --input {input.affinities:q}"
        " --shard {wildcards.shard} --shards {wildcards.shards}"
        " --output {output.fragments:q} --settings {params.settings:q} 2>&1 | tee {log[0]:q}"


rule agglomerate_index:
    input:
        fragments=fragment_pieces,
    output:
        index="results/agglomerate/{model}/{agglomeration}/{volume}/fragments.h5",
    log:
        "results/logs/agglomerate/{model}/{agglomeration}/{volume}/fragments.log",
        ledger="results/ledger/agglomerate/{model}/{agglomeration}/{volume}/fragments.json",
    benchmark:
        "results/benchmarks/agglomerate/{model}/{agglomeration}/{volume}/fragments.tsv"
    wildcard_constraints:
        agglomeration=names(SCATTERED),
    conda:
        "../../envs/agglomerate.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(120),
    params:
        code=fingerprint("agglomerate", "index"),
    shell:
        "python -m fgnet.agglomerate --ledger {log.ledger:q} index --first {input.fragments[0]:q}"
        " --output {output.index:q} &> {log[0]:q}"


rule agglomerate_graph:
    input:
        affinities="results/infer/{model}/{volume}.h5",
        index="results/agglomerate/{model}/{agglomeration}/{volume}/fragments.h5",
    output:
        graph="results/agglomerate/{model}/{agglomeration}/{volume}/graph/{shard}-of-{shards}.h5",
    log:
        "results/logs/agglomerate/{model}/{agglomeration}/{volume}/graph/{shard}-of-{shards}.log",
        ledger="results/ledger/agglomerate/{model}/{agglomeration}/{volume}/graph/{shard}-of-{shards}.json",
    benchmark:
        "results/benchmarks/agglomerate/{model}/{agglomeration}/{volume}/graph/{shard}-of-{shards}.tsv"
    wildcard_constraints:
        agglomeration=names(SCATTERED),
    conda:
        "../../envs/agglomerate.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
    params:
        settings=graph_settings,
        code=fingerprint("agglomerate", "graph"),
    shell:
        "python -m fgnet.agglomerate --ledger {log.ledger:q} graph --input {input.affinities:q}"
        " --index {input.index:q} --shard {wildcards.shard} --shards {wildcards.shards}"
        " --output {output.graph:q} --settings {params.settings:q} 2>&1 | tee {log[0]:q}"


rule agglomerate_merge:
    input:
        affinities=pieces,
        fragments=fragment_pieces,
        index="results/agglomerate/{model}/{agglomeration}/{volume}/fragments.h5",
        graphs=graph_pieces,
    output:
        segmentation="results/agglomerate/{model}/{agglomeration}/{volume}.h5",
    log:
        "results/logs/agglomerate/{model}/{agglomeration}/{volume}.log",
        ledger="results/ledger/agglomerate/{model}/{agglomeration}/{volume}.json",
    benchmark:
        "results/benchmarks/agglomerate/{model}/{agglomeration}/{volume}.tsv"
    wildcard_constraints:
        agglomeration=names(SCATTERED),
    conda:
        "../../envs/agglomerate.yaml"
    resources:
        mem_mb=growing(16000),
        runtime=growing(480),
    params:
        settings=agglomerate_settings,
        code=fingerprint("agglomerate", "merge"),
    shell:
        "python -m fgnet.agglomerate --ledger {log.ledger:q} merge"
        " --fragments {input.fragments[0]:q}"
        " --index {input.index:q} --graph {input.graphs[0]:q}"
        " --output {output.segmentation:q} --settings {params.settings:q} 2>&1 | tee {log[0]:q}"
