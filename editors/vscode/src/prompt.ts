/** Shows what the model would be given at the cursor. */
import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import { messageOf } from "./errors";

/** Opens the prompt at the cursor as a page beside the editor. */
export async function showPrompt(client: LanguageClient | undefined): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  if (!editor || !client?.isRunning()) {
    const missing = editor ? "The server is not running; see the status bar." : "Open a file and place the cursor in it first.";
    void vscode.window.showWarningMessage(`CodeGemma: ${missing}`);
    return;
  }
  const params = {
    textDocument: { uri: client.code2ProtocolConverter.asUri(editor.document.uri) },
    position: client.code2ProtocolConverter.asPosition(editor.selection.active),
  };
  try {
    const { text } = await client.sendRequest<{ text: string }>("codegemma/prompt", params);
    const page = await vscode.workspace.openTextDocument({ language: "markdown", content: text });
    await vscode.window.showTextDocument(page, { viewColumn: vscode.ViewColumn.Beside, preview: true });
  } catch (error) {
    void vscode.window.showWarningMessage(`CodeGemma: ${messageOf(error)}`);
  }
}
