"""How results go out: ``report.json``, one page of HTML, a terminal, files of verdicts."""
