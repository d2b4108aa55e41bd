rule train:
    input:
        volumes=training_volumes,
        validation=validation_volumes,
        sam2=sam2_checkpoint,
        sam1=sam1_weights,
        text=text_weights,
        given=given_checkpoint,
    output:
        checkpoint="results/train/{model}/checkpoint.pt",
        last="results/train/{model}/last.pt",
        history="results/train/{model}/history.csv",
        made_by="results/train/{model}/made_by.json",
        augmentations="results/train/{model}/augmentations.h5",
        examples="results/train/{model}/examples.h5",
    log:
        "results/logs/train/{model}.log",
        ledger="results/ledger/train/{model}.json",
    benchmark:
        "results/benchmarks/train/{model}.tsv"
    conda:
        "../../envs/model.yaml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=growing(16000),
        runtime=2880,
    params:
        settings=model_settings,
        boxes=training_boxes,
        code=fingerprint("train"),
    shell:
        "python -m fgnet.train --ledger {log.ledger:q}"
        " --volumes {input.volumes:q} --validation {input.validation:q}"
        " --sam2 {input.sam2:q} --sam1 {input.sam1:q} --text {input.text:q} --boxes {params.boxes:q} --settings {params.settings:q}"
        " --output {output.checkpoint:q} --last {output.last:q} --history {output.history:q}"
        " --made-by {output.made_by:q} --augmentations {output.augmentations:q}"
        " --examples {output.examples:q}"
        ' --save-seconds "$FGNET_SAVE_SECONDS"'
        " --threads {threads} --processes {resources.gpu} 2>&1 | tee -i {log[0]:q}"
