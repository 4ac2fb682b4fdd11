"""What an expression gives in an open notebook's kernel."""

import json

ASK = """async (code) => {
  const { sessionContext } = window.jupyterapp.shell.currentWidget.context;
  const done = sessionContext.session.kernel.requestExecute(
    { code: `import json; print(json.dumps(${code}))` });
  let text = '';
  done.onIOPub = (message) => { text += message.content.text ?? ''; };
  await done.done;
  return text;
}"""


def in_kernel(notebook, code):
    """What an expression gives in the notebook's kernel, as JSON."""
    return json.loads(notebook.page.evaluate(ASK, code))
