"""Small models of sentence-transformers, made from a configuration."""

from pathlib import Path

WORDS = (
    "[PAD] [UNK] [CLS] [SEP] [MASK] a red green blue yellow thing fine with boxes stripes plain halves . so good the"
)


def bert(folder: Path, *, width: int = 16, prompt: str = "", longest: int = 24, seed: int = 0) -> Path:
    """A BERT of two layers with mean pooling; returns its folder."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    parts = folder / "parts"
    parts.mkdir(parents=True)
    vocabulary = parts / "vocab.txt"
    vocabulary.write_text("\n".join(WORDS.split()))
    BertTokenizerFast(vocab=str(vocabulary), model_max_length=longest).save_pretrained(parts)
    torch.manual_seed(seed)
    sizes = {"hidden_size": width, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=len(WORDS.split()), max_position_embeddings=32, **sizes)).save_pretrained(parts)
    modules = [Transformer(str(parts), max_seq_length=longest), Pooling(width, include_prompt=not prompt)]
    prompts = {"prompts": {"query": prompt}, "default_prompt_name": "query"} if prompt else {}
    SentenceTransformer(modules=modules, device="cpu", **prompts).save(str(folder / "model"))
    return folder / "model"
