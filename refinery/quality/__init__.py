"""fastText quality classifiers: training from a recipe's sources, and scoring."""
