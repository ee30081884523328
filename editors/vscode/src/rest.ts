/** Tells the server where the cursor has come to rest, so that it reads the prompt there before it is asked. */
import * as vscode from "vscode";
import { State, type LanguageClient } from "vscode-languageclient/node";
import { SELECTOR, isDisabled } from "./config";

const REST_MS = 500;

/** Watches the cursor of the active editor; `client` is the running one. Typing on in a line tells nothing new. */
export function watchRest(client: () => LanguageClient | undefined): vscode.Disposable {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let told = "";

  function tell(): void {
    const editor = vscode.window.activeTextEditor;
    const running = client();
    if (!editor || running?.state !== State.Running) {
      return;
    }
    const { document, selection } = editor;
    const here = `${document.uri.toString()}:${selection.active.line}`;
    if (here === told || isDisabled(document) || !vscode.languages.match(SELECTOR, document)) {
      return;
    }
    told = here;
    void running.sendNotification("codegemma/didRest", {
      textDocument: running.code2ProtocolConverter.asTextDocumentIdentifier(document),
      position: running.code2ProtocolConverter.asPosition(selection.active),
    });
  }

  function moved(): void {
    clearTimeout(timer);
    timer = setTimeout(tell, REST_MS);
  }

  return vscode.Disposable.from(
    vscode.window.onDidChangeTextEditorSelection(moved),
    vscode.window.onDidChangeActiveTextEditor(moved),
    new vscode.Disposable(() => clearTimeout(timer)),
  );
}
