/** The chat in the sidebar: a page that shows, and this, which asks. */
import { randomBytes } from "node:crypto";
import * as vscode from "vscode";
import { ProgressType, type LanguageClient } from "vscode-languageclient/node";
import type { Edits, Proposal } from "./edits";

interface Answer {
  conversationId: string;
  text: string;
  note?: string;
  edit?: Proposal;
}

const PARTIAL = new ProgressType<{ text: string }>();

type FromPage =
  | { type: "ready" }
  | { type: "ask"; text: string; withSelection: boolean }
  | { type: "stop" }
  | { type: "new" }
  | { type: "copy"; text: string }
  | { type: "insert"; text: string };

export class Chat implements vscode.WebviewViewProvider {
  private view: vscode.WebviewView | undefined;
  private conversation: string | undefined;
  private running: vscode.CancellationTokenSource | undefined;
  private number = 0;
  private ready: Promise<void>;
  private isReady: () => void = () => undefined;

  constructor(
    private readonly extension: vscode.Uri,
    private readonly client: () => LanguageClient | undefined,
    private readonly edits: Edits,
  ) {
    this.ready = new Promise((resolve) => (this.isReady = resolve));
    vscode.window.onDidChangeTextEditorSelection(() => this.tellSelection());
    vscode.window.onDidChangeActiveTextEditor(() => this.tellSelection());
  }

  resolveWebviewView(view: vscode.WebviewView): void {
    this.view = view;
    view.webview.options = { enableScripts: true, localResourceRoots: [this.extension] };
    view.webview.html = this.html(view.webview);
    view.webview.onDidReceiveMessage((message: FromPage) => this.received(message));
    view.onDidDispose(() => {
      this.view = undefined;
      this.ready = new Promise((resolve) => (this.isReady = resolve));
    });
  }

  private async received(message: FromPage): Promise<void> {
    switch (message.type) {
      case "ready":
        this.isReady();
        this.tellSelection();
        break;
      case "ask":
        await this.ask(message.text, message.withSelection);
        break;
      case "stop":
        this.stop();
        break;
      case "new":
        await this.begin();
        break;
      case "copy":
        await vscode.env.clipboard.writeText(message.text);
        break;
      case "insert":
        await vscode.window.activeTextEditor?.insertSnippet(new vscode.SnippetString().appendText(message.text));
        break;
    }
  }

  private tell(message: Record<string, unknown>): void {
    void this.view?.webview.postMessage(message);
  }

  private tellSelection(): void {
    const editor = vscode.window.activeTextEditor;
    const { start, end, isEmpty } = editor?.selection ?? { start: undefined, end: undefined, isEmpty: true };
    const name = editor && !isEmpty ? `${vscode.workspace.asRelativePath(editor.document.uri)}:${start!.line + 1}-${end!.line + 1}` : "";
    this.tell({ type: "selection", name });
  }

  /** Shows the chat, and asks where there is something to ask. */
  async open(text = "", withSelection = true): Promise<void> {
    await vscode.commands.executeCommand("codegemma.chat.focus");
    await this.ready;
    if (text) {
      await this.ask(text, withSelection);
    }
  }

  private async ask(text: string, withSelection: boolean): Promise<void> {
    const client = this.client();
    if (!client || this.running) {
      return;
    }
    this.number += 1;
    const token = `codegemma-chat-${this.number}`;
    const cancel = (this.running = new vscode.CancellationTokenSource());
    this.tell({ type: "begin", text });
    const heard = client.onProgress(PARTIAL, token, ({ text: more }) => this.tell({ type: "text", text: more }));
    try {
      const params = { text, conversationId: this.conversation, partialResultToken: token, ...this.about(text, withSelection) };
      const answer = await client.sendRequest<Answer>("codegemma/chat", params, cancel.token);
      this.conversation = answer.conversationId;
      this.tell({ type: "end", text: answer.text, note: answer.note ?? "" });
      if (answer.edit) {
        await this.edits.preview(answer.edit);
      }
    } catch (error) {
      const stopped = cancel.token.isCancellationRequested;
      this.tell({ type: "end", problem: stopped ? "Stopped." : error instanceof Error ? error.message : String(error) });
    } finally {
      heard.dispose();
      this.running = undefined;
    }
  }

  /** What the question is about: the selection, for commands also the place of the cursor. */
  private about(text: string, withSelection: boolean): Record<string, unknown> {
    const editor = vscode.window.activeTextEditor;
    if (!editor || !(withSelection || text.trimStart().startsWith("/"))) {
      return {};
    }
    const selection = {
      uri: editor.document.uri.toString(),
      version: editor.document.version,
      range: { start: editor.selection.start, end: editor.selection.end },
    };
    const isCommand = text.trimStart().startsWith("/");
    return { selection, references: isCommand || editor.selection.isEmpty ? [] : [selection] };
  }

  stop(): void {
    this.running?.cancel();
  }

  /** Begins a new conversation; the old one is forgotten. */
  async begin(): Promise<void> {
    this.stop();
    if (this.conversation) {
      await this.client()?.sendRequest("codegemma/forgetConversation", { conversationId: this.conversation });
    }
    this.conversation = undefined;
    this.tell({ type: "reset" });
  }

  private html(webview: vscode.Webview): string {
    const nonce = randomBytes(16).toString("hex");
    const of = (...parts: string[]): vscode.Uri => webview.asWebviewUri(vscode.Uri.joinPath(this.extension, ...parts));
    const policy = `default-src 'none'; style-src ${webview.cspSource}; script-src 'nonce-${nonce}'`;
    return `<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta http-equiv="Content-Security-Policy" content="${policy}" />
    <link rel="stylesheet" href="${of("media", "chat.css").toString()}" />
  </head>
  <body>
    <main id="log" role="log" aria-live="polite" tabindex="0"></main>
    <form id="form">
      <label id="about" hidden><input id="with" type="checkbox" checked /> <span></span></label>
      <textarea id="question" rows="2" aria-label="Ask CodeGemma" placeholder="Ask, or /explain /fix /doc /tests /edit; #file:path adds a file"></textarea>
      <div>
        <button id="send" type="submit">Ask</button>
        <button id="stop" type="button" hidden>Stop</button>
        <button id="new" type="button" class="quiet">New conversation</button>
      </div>
    </form>
    <script nonce="${nonce}" src="${of("dist", "page.js").toString()}"></script>
  </body>
</html>`;
  }
}
