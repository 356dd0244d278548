"""Entry points for spark-submit: one stage each."""
