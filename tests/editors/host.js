// Runs inside VS Code's extension host, with the extension from the checkout. What it finds is written as JSON to
// host.json in the workspace: { name: "" or what is wrong }.
const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const vscode = require("vscode");

const folder = vscode.workspace.workspaceFolders[0].uri.fsPath;
const SOURCE = fs.readFileSync(path.join(folder, "shapes.py"), "utf8");
const TYPED = ["        for shape in self.", "        if not self.", "        return self.", "        self.name = "];
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(what, described, ms = 40_000) {
  const end = Date.now() + ms;
  for (let found; ; await pause(50)) {
    if ((found = await what())) {
      return found;
    }
    assert.ok(Date.now() < end, `not within ${ms} ms: ${described}`);
  }
}

async function open(name, text = SOURCE) {
  const file = path.join(folder, name);
  fs.writeFileSync(file, text);
  const document = await vscode.workspace.openTextDocument(file);
  const editor = await vscode.window.showTextDocument(document);
  assert.strictEqual(document.getText(), text);
  return editor;
}

/** Types a line below the last `area` and asks by hand; whether something could be accepted. */
async function accepted(editor, typed, command = "editor.action.inlineSuggest.commit") {
  const text = editor.document.getText();
  const at = editor.document.positionAt(text.indexOf("\n        return sum(") + 1);
  await editor.edit((edit) => edit.insert(at, `${typed}\n`));
  const end = at.translate(0, typed.length);
  editor.selection = new vscode.Selection(end, end);
  const before = editor.document.getText();
  for (let i = 0; i < 60 && editor.document.getText() === before; i++) {
    await vscode.commands.executeCommand("editor.action.inlineSuggest.trigger");
    await pause(100);
    await vscode.commands.executeCommand(command);
  }
  const after = editor.document.getText();
  if (after === before) {
    return undefined;
  }
  const offset = editor.document.offsetAt(end);
  assert.ok(after.startsWith(before.slice(0, offset)), "what is before the cursor stays");
  return after.slice(offset, offset + after.length - before.length);
}

async function acceptedSomewhere(name, command) {
  for (const typed of TYPED) {
    const editor = await open(name);
    const found = await accepted(editor, typed, command);
    if (found) {
      return found;
    }
  }
  return undefined;
}

/** Opens a file and has the last `area` in it documented, up to the preview. */
async function previewed(edits, name, text) {
  const editor = await open(name, text);
  const at = editor.document.positionAt(text.indexOf("return sum("));
  editor.selection = new vscode.Selection(at, at);
  await vscode.commands.executeCommand("codegemma.documentSelection");
  await until(() => edits.isPending, "a preview");
  return editor;
}

const set = (name, value) =>
  vscode.workspace.getConfiguration("codegemma").update(name, value, vscode.ConfigurationTarget.Global);

const tests = {
  "a suggestion is accepted": async () => assert.ok(await acceptedSomewhere("all.py")),
  "a word is accepted": async () => {
    const found = await acceptedSomewhere("word.py", "editor.action.inlineSuggest.acceptNextWord");
    assert.match(found ?? "", /^\s*(\w+|[^\w\s]+)\s?$/);
  },
  "a line is accepted": async () => {
    const found = await acceptedSomewhere("line.py", "editor.action.inlineSuggest.acceptNextLine");
    assert.ok(found && !found.trim().includes("\n"), found);
  },
  "the prompt shows what another extension says of a name": async () => {
    fs.writeFileSync(path.join(folder, "till.py"), "\n\nclass Till:\n    def left(self, seats: int) -> int: ...\n");
    const place = new vscode.Location(vscode.Uri.file(path.join(folder, "till.py")), new vscode.Position(2, 6));
    const provider = vscode.languages.registerTypeDefinitionProvider("python", {
      provideTypeDefinition: (document, position) =>
        document.getText(document.getWordRangeAtPosition(position)) === "till" ? place : undefined,
    });
    const shown = async () => {
      const editor = await open("definitions.py", "def left(till):\n    return till.\n");
      const end = new vscode.Position(1, "    return till.".length);
      editor.selection = new vscode.Selection(end, end);
      await vscode.commands.executeCommand("codegemma.showPrompt");
      const page = vscode.window.activeTextEditor.document.getText();
      await vscode.commands.executeCommand("workbench.action.closeActiveEditor");
      return page.includes("taken: defines Till: a member of till is written at the cursor");
    };
    await until(shown, "the class is in the prompt"); // what comes late is in the next one
    provider.dispose();
  },
  "nothing is suggested in a language that is off": async () => {
    await set("disabledLanguages", ["python"]);
    assert.strictEqual(await accepted(await open("language.py"), TYPED[2]), undefined);
    await set("disabledLanguages", undefined);
  },
  "nothing is suggested in files that are off": async () => {
    await set("disabledFiles", ["**/secret/*.py"]);
    fs.mkdirSync(path.join(folder, "secret"), { recursive: true });
    assert.strictEqual(await accepted(await open("secret/a.py"), TYPED[2]), undefined);
    assert.ok(await acceptedSomewhere("other.py"));
    await set("disabledFiles", undefined);
  },
  "nothing is suggested when all is off": async ({ status }) => {
    await vscode.commands.executeCommand("codegemma.toggle");
    await vscode.commands.executeCommand("codegemma.restart"); // a server that has never heard otherwise
    await until(() => status().message.startsWith("Ready"), "ready again");
    assert.strictEqual(await accepted(await open("off.py"), TYPED[2]), undefined);
    await vscode.commands.executeCommand("codegemma.toggle");
    assert.ok(await acceptedSomewhere("on.py"));
  },
  "a server that cannot be started is replaced once it can": async ({ status }) => {
    const own = vscode.workspace.getConfiguration("codegemma").get("serverPath");
    await set("serverPath", "/no/such/program");
    await vscode.commands.executeCommand("codegemma.restart");
    await until(() => status().kind === "Error", "it says so");
    await set("serverPath", own);
    await vscode.commands.executeCommand("codegemma.restart");
    await until(() => status().message.startsWith("Ready"), "ready again");
    assert.ok(await acceptedSomewhere("back.py"));
  },
  "a discarded edit leaves the file byte for byte": async ({ edits }) => {
    const text = SOURCE.replaceAll("\n", "\r\n").replace("Shapes", "\u{1f9f9} Shapes");
    const editor = await previewed(edits, "bytes.py", text);
    await vscode.commands.executeCommand("codegemma.discardEdit");
    assert.ok(!edits.isPending);
    assert.strictEqual(editor.document.getText(), text);
    assert.deepStrictEqual(fs.readFileSync(editor.document.fileName), Buffer.from(text));
  },
  "an accepted edit keeps the ends of lines": async ({ edits }) => {
    const text = SOURCE.replaceAll("\n", "\r\n");
    const editor = await previewed(edits, "ends.py", text);
    await vscode.commands.executeCommand("codegemma.acceptEdit");
    const after = editor.document.getText();
    assert.notStrictEqual(after, text);
    assert.ok(!/[^\r]\n/.test(after));
    assert.ok(after.includes('"""'));
  },
  "the server is told once where the cursor rests": async ({ client }) => {
    const told = [];
    const send = client().sendNotification;
    client().sendNotification = function (method, params) {
      if (method === "codegemma/didRest") {
        told.push(params.position.line);
      }
      return send.apply(this, arguments);
    };
    try {
      const editor = await open("rest.py");
      for (const line of [1, 2, 5, 5]) {
        const at = new vscode.Position(line, 0);
        editor.selection = new vscode.Selection(at, at);
      }
      await until(() => told.length, "it is told");
      editor.selection = new vscode.Selection(new vscode.Position(5, 1), new vscode.Position(5, 1));
      await pause(1000);
      assert.deepStrictEqual(told, [5]);
    } finally {
      client().sendNotification = send;
    }
  },
  "an edit is dropped when the text changes": async ({ edits }) => {
    const editor = await previewed(edits, "dropped.py", SOURCE);
    const edit = new vscode.WorkspaceEdit();
    edit.insert(editor.document.uri, new vscode.Position(0, 0), "# new\n");
    await vscode.workspace.applyEdit(edit);
    await until(() => !edits.isPending, "the edit is gone");
    assert.strictEqual(editor.document.getText(), `# new\n${SOURCE}`);
  },
  "the server killed comes back": async ({ client, status }) => {
    const { process: first } = await client().sendRequest("codegemma/state");
    process.kill(first, "SIGKILL");
    await until(() => !status().message.startsWith("Ready"), "it is gone");
    await until(() => status().message.startsWith("Ready"), "it is back");
    const { process: second } = await client().sendRequest("codegemma/state");
    assert.notStrictEqual(second, first);
    assert.ok(await acceptedSomewhere("again.py"));
  },
};

exports.run = async () => {
  const found = {};
  const write = () => {
    const file = path.join(folder, "host.json");
    fs.writeFileSync(`${file}.new`, JSON.stringify(found));
    fs.renameSync(`${file}.new`, file);
  };
  try {
    const api = await vscode.extensions.getExtension("codegemma-lsp.codegemma").activate();
    await until(() => api.status().message.startsWith("Ready"), `ready: ${JSON.stringify(api.status())}`, 90_000);
    for (const [name, test] of Object.entries(tests)) {
      try {
        await test(api);
        found[name] = "";
      } catch (error) {
        found[name] = String(error.stack ?? error);
      }
    }
  } catch (error) {
    found["started"] = String(error.stack ?? error);
  }
  found["done"] = "";
  write();
};
