"""Language in, sentences and phonemes out. One file per language, one per alphabet."""
