"""DemandLM: a demand model in the shape of a language model. Patches of one season's length are its tokens."""
