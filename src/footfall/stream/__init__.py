"""The stream engine: the only folder that imports Faust."""
