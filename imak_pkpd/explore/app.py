"""The marimo app of `imak explore`; the numbers are those of the rooms below.

Cells hand over names, so that what depends on a control is made anew when it moves.
"""

# marimo calls a cell by the names of its arguments: these functions are never called
import marimo

app = marimo.App(width="medium", app_title="imak_pkpd")


@app.cell
def _():
    import marimo as mo

    from imak_pkpd.explore import answers, choice, contents
    from imak_pkpd.explore.server import asked_run
    from imak_pkpd.report.run import read_run

    run = read_run(asked_run(), anonymise=True)
    mo.Html(contents.style_sheet())
    return answers, choice, contents, mo, run


@app.cell
def _(contents, mo, run):
    mo.vstack([mo.md("# The run"), mo.Html(contents.html(contents.summary(run)))])
    return


@app.cell
def _(contents, mo, run):
    mo.vstack([mo.md("# Parameters"), mo.Html(contents.html(contents.parameters(run)))])
    return


@app.cell
def _(contents, mo, run):
    names = list(contents.traced(run))
    trace_of = mo.ui.dropdown(
        names, value=names[0] if names else None, label="trace of"
    )
    return (trace_of,)


@app.cell
def _(contents, mo, run, trace_of):
    mo.vstack([trace_of, mo.Html(contents.html(contents.traces(run, trace_of.value)))])
    return


@app.cell
def _(contents, mo, run):
    mo.vstack([mo.md("# Estimands"), mo.Html(contents.html(contents.estimands(run)))])
    return


@app.cell
def _(answers, choice, mo, run):
    decision = answers.newest_decision(run.folder)
    known = decision or {"table": [], "utility_terms": []}
    design = mo.ui.dropdown(
        choice.designs(known),
        value=choice.chosen(decision) if decision else None,
        label="design",
    )
    weights = mo.ui.array(
        [
            mo.ui.slider(
                *choice.WEIGHTS, value=1.0, label=f"`{term}` times", show_value=True
            )
            for term in known.get("utility_terms", ())
        ]
    )
    return decision, design, weights


@app.cell
def _(choice, contents, decision, design, mo, weights):
    if decision is None:
        shown = mo.md("No dose was chosen: run `imak dose` on this run folder.")
    else:
        table = choice.weighed(decision, design.value, weights.value)
        shown = mo.vstack(
            [
                mo.Html(contents.html(choice.stored(run, decision))),
                mo.vstack([design, *weights.elements]),
                mo.Html(contents.html(table)),
            ]
        )
    mo.vstack([mo.md("# The dose"), shown])
    return


@app.cell
def _(answers, contents, mo, run):
    samples = contents.html(answers.samples(run.folder))
    mo.vstack([mo.md("# The next sample"), mo.Html(samples)])
    return


@app.cell
def _(answers, contents, mo, run):
    trial = contents.html(answers.trial(run.folder))
    mo.vstack([mo.md("# A virtual trial"), mo.Html(trial)])
    return


if __name__ == "__main__":
    app.run()
