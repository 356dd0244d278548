"""Does refining help? Arms of one raw corpus, trained on at equal tokens, judged on texts that none of them has."""
