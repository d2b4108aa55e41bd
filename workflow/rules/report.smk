rule report_data:
    input:
        downloaded="results/download/{volume}.h5",
        normalized="results/normalize/{volume}.h5",
        notebook=notebook("data"),
    output:
        page=report(
            "results/report/data/{volume}.html",
            caption="../report/data.rst",
            category="Data",
            labels={"volume": "{volume}"},
        ),
    log:
        "results/logs/report/data/{volume}.log",
        notebook="results/logs/report/data/{volume}.ipynb",
        ledger="results/ledger/report/data/{volume}.json",
    benchmark:
        "results/benchmarks/report/data/{volume}.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        parameters=data_parameters,
        code=page_code("data"),
    shell:
        "python -m fgnet.report --ledger {log.ledger:q} page --notebook {input.notebook:q}"
        " --parameters {params.parameters:q} --executed {log.notebook:q}"
        " --root .. --output {output.page:q} &> {log[0]:q}"


rule report_train:
    input:
        history="results/train/{model}/history.csv",
        augmentations="results/train/{model}/augmentations.h5",
        examples="results/train/{model}/examples.h5",
        notebook=notebook("train"),
    output:
        page=report(
            "results/report/train/{model}.html",
            caption="../report/train.rst",
            category="Training",
            labels={"model": "{model}"},
        ),
    log:
        "results/logs/report/train/{model}.log",
        notebook="results/logs/report/train/{model}.ipynb",
        ledger="results/ledger/report/train/{model}.json",
    benchmark:
        "results/benchmarks/report/train/{model}.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        parameters=train_parameters,
        code=page_code("train"),
    shell:
        "python -m fgnet.report --ledger {log.ledger:q} page --notebook {input.notebook:q}"
        " --parameters {params.parameters:q} --executed {log.notebook:q}"
        " --root .. --output {output.page:q} &> {log[0]:q}"


rule report_segment:
    input:
        image=whole_volume,
        affinities="results/infer/{model}/{volume}.h5",
        pieces=pieces,
        segmentation="results/agglomerate/{model}/{agglomeration}/{volume}.h5",
        fragments=fragment_pieces,
        threshold="results/evaluate/{model}/{agglomeration}.threshold.json",
        neurons=own_neurons,
        notebook=notebook("segment"),
    output:
        page=report(
            "results/report/segment/{model}/{agglomeration}/{volume}.html",
            caption="../report/segment.rst",
            category="Segmentation",
            subcategory="{volume}",
            labels={
                "volume": "{volume}",
                "model": "{model}",
                "agglomeration": "{agglomeration}",
            },
        ),
    log:
        "results/logs/report/segment/{model}/{agglomeration}/{volume}.log",
        notebook="results/logs/report/segment/{model}/{agglomeration}/{volume}.ipynb",
        ledger="results/ledger/report/segment/{model}/{agglomeration}/{volume}.json",
    benchmark:
        "results/benchmarks/report/segment/{model}/{agglomeration}/{volume}.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        parameters=segment_parameters,
        code=page_code("segment"),
    shell:
        "python -m fgnet.report --ledger {log.ledger:q} page --notebook {input.notebook:q}"
        " --parameters {params.parameters:q} --executed {log.notebook:q}"
        " --root ../../.. --output {output.page:q} &> {log[0]:q}"


rule report_images:
    input:
        downloaded="results/download/{images}.h5",
        normalized="results/normalize/{images}.h5",
        notebook=notebook("images"),
    output:
        page=report(
            "results/report/data/{images}.html",
            caption="../report/images.rst",
            category="Data",
            labels={"images": "{images}"},
        ),
    log:
        "results/logs/report/data/{images}.log",
        notebook="results/logs/report/data/{images}.ipynb",
        ledger="results/ledger/report/data/{images}.json",
    benchmark:
        "results/benchmarks/report/data/{images}.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        parameters=images_parameters,
        code=page_code("images"),
    shell:
        "python -m fgnet.report --ledger {log.ledger:q} page --notebook {input.notebook:q}"
        " --parameters {params.parameters:q} --executed {log.notebook:q}"
        " --root .. --output {output.page:q} &> {log[0]:q}"


rule report_mask:
    input:
        images=whole_set,
        chances="results/infer/{model}/{images}.h5",
        scores=own_scores,
        notebook=notebook("mask"),
    output:
        page=report(
            "results/report/mask/{model}/{images}.html",
            caption="../report/mask.rst",
            category="Masks",
            subcategory="{images}",
            labels={"images": "{images}", "model": "{model}"},
        ),
    log:
        "results/logs/report/mask/{model}/{images}.log",
        notebook="results/logs/report/mask/{model}/{images}.ipynb",
        ledger="results/ledger/report/mask/{model}/{images}.json",
    benchmark:
        "results/benchmarks/report/mask/{model}/{images}.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        parameters=mask_parameters,
        code=page_code("mask"),
    shell:
        "python -m fgnet.report --ledger {log.ledger:q} page --notebook {input.notebook:q}"
        " --parameters {params.parameters:q} --executed {log.notebook:q}"
        " --root ../.. --output {output.page:q} &> {log[0]:q}"


rule report_evaluate:
    input:
        scores=scored(),
        neurons=neurons(),
        run_lengths=followed(),
        models=model_records().values(),
        notebook=notebook(EVALUATE_PAGE),
    output:
        page=report(
            "results/report/evaluate.html",
            caption=f"../report/{EVALUATE_PAGE}.rst",
            category="Scores",
            labels={"page": "Models and thresholds"},
        ),
    log:
        "results/logs/report/evaluate.log",
        notebook="results/logs/report/evaluate.ipynb",
        ledger="results/ledger/report/evaluate.json",
    benchmark:
        "results/benchmarks/report/evaluate.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        parameters=evaluate_parameters,
        code=page_code(EVALUATE_PAGE),
    shell:
        "python -m fgnet.report --ledger {log.ledger:q} page --notebook {input.notebook:q}"
        " --parameters {params.parameters:q} --executed {log.notebook:q}"
        " --output {output.page:q} &> {log[0]:q}"


# After all other pages, so that its table of jobs has theirs.
rule report_provenance:
    input:
        made=made_files(),
        pages=segment_pages() + mask_pages() + train_pages() + data_pages(),
        evaluate="results/report/evaluate.html",
        notebook=notebook("provenance"),
    output:
        page=report(
            "results/report/provenance.html",
            caption="../report/provenance.rst",
            category="Provenance",
            labels={"page": "Provenance"},
        ),
    log:
        "results/logs/report/provenance.log",
        notebook="results/logs/report/provenance.ipynb",
        ledger="results/ledger/report/provenance.json",
    benchmark:
        "results/benchmarks/report/provenance.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        parameters=provenance_parameters,
        code=page_code("provenance"),
    shell:
        "python -m fgnet.report --ledger {log.ledger:q} page --notebook {input.notebook:q}"
        " --parameters {params.parameters:q} --executed {log.notebook:q}"
        " --output {output.page:q} &> {log[0]:q}"


rule report:
    input:
        pages=segment_pages() + mask_pages() + train_pages() + data_pages(),
        evaluate="results/report/evaluate.html",
        provenance="results/report/provenance.html",
        neurons=neurons(),
        run_lengths=followed(),
        thresholds=thresholds(),
        made=made_files(),
    output:
        index=report(
            "results/report/index.html",
            caption="../report/index.rst",
            category="Scores",
            labels={"page": "Overview"},
        ),
        table="results/report/scores.txt",
    log:
        "results/logs/report/index.log",
        ledger="results/ledger/report/index.json",
    benchmark:
        "results/benchmarks/report/index.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        parameters=index_parameters,
        code=fingerprint("report", "index"),
    shell:
        "python -m fgnet.report --ledger {log.ledger:q} index --parameters {params.parameters:q}"
        " --output {output.index:q} --table {output.table:q} &> {log[0]:q}"


# Last, when every job that it speaks of has left its entry in the ledger.
rule report_crate:
    input:
        results=rules.report.output,
        exports=exports(),
    output:
        crate="results/ro-crate-metadata.json",
        workflow=directory("results/workflow"),
        readme="results/README.md",
    log:
        "results/logs/report/crate.log",
        ledger="results/ledger/report/crate.json",
    benchmark:
        "results/benchmarks/report/crate.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        parameters=crate_parameters,
        code=fingerprint("report", "crate"),
    shell:
        "python -m fgnet.report --ledger {log.ledger:q} crate"
        " --parameters {params.parameters:q} --output {output.crate:q}"
        " --workflow {output.workflow:q} --readme {output.readme:q} &> {log[0]:q}"
