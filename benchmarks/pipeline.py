"""The peer of `serve.py`: a `transformers` pipeline behind FastAPI and uvicorn, as a tutorial would have it.

    python benchmarks/pipeline.py BACKBONE_FOLDER N_CLASSES PORT

Run with a Python of its own that has torch, transformers, fastapi and uvicorn; imports nothing of Feilun. The network
is the same backbone with a linear head; a head's values do not change its cost.
"""

from __future__ import annotations

import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedTokenizerFast, pipeline


class Message(BaseModel):
    text: str


def main() -> None:
    """Serve until killed."""
    folder, n_classes, port = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    )
    config = AutoConfig.from_pretrained(folder, num_labels=n_classes)
    network = AutoModelForSequenceClassification.from_pretrained(folder, config=config)
    classify = pipeline("text-classification", model=network, tokenizer=tokenizer, truncation=True, max_length=128)
    app = FastAPI()

    @app.post("/predict")
    def predict(message: Message) -> dict[str, object]:
        return dict(classify(message.text)[0])

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
