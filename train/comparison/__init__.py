"""Evaluations read again: models beside each other, on a page, in other programs' formats."""
