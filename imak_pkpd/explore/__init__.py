"""`imak explore`: a run in the browser, read from its folder, nothing solved anew.

`contents`  what is shown, as blocks of the report
`answers`   the newest answers to questions of the run: dose, trial, samples
`choice`    a stored decision with a design and weights of one's own
`app`       the marimo app; only it imports marimo
`server`    the app on the loopback address
"""
