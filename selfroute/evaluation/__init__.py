"""The measuring stick: datasets and scores. Knows nothing of how an answer was found."""
