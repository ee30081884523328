/** The chat in the sidebar: a page that shows, and this, which asks and remembers. */
import { randomBytes, randomUUID } from "node:crypto";
import * as vscode from "vscode";
import { ProgressType, State, type LanguageClient } from "vscode-languageclient/node";
import type { Edits, Proposal } from "./edits";
import { inOwnWords, messageOf } from "./errors";
import type { Conversation, History, Turn } from "./history";
import { pickReference } from "./references";

interface Answer {
  conversationId: string;
  text: string;
  note?: string;
  edit?: Proposal;
}

const PARTIAL = new ProgressType<{ text: string }>();
/** Turns that the server takes. */
const MOST_TURNS = 200;
const UNTRUSTED = "In an untrusted workspace there are suggestions only; trust it to chat.";

/** A question that waits for the answer to the one before it, with what it is about. */
interface Queued {
  readonly id: number;
  readonly text: string;
  readonly about: Record<string, unknown>;
}

/** What is being answered, as far as it is. */
interface Running {
  readonly cancel: vscode.CancellationTokenSource;
  readonly question: string;
  said: string;
}

type FromPage =
  | { type: "ready" }
  | { type: "ask"; text: string; withSelection: boolean }
  | { type: "stop" }
  | { type: "unqueue"; id: number }
  | { type: "refer" }
  | { type: "copy"; text: string }
  | { type: "insert"; text: string }
  | { type: "apply"; text: string }
  | { type: "new"; text: string; language: string }
  | { type: "terminal"; text: string };

export class Chat implements vscode.WebviewViewProvider {
  private view: vscode.WebviewView | undefined;
  private conversation: Conversation;
  /** What the server knows the conversation by; undefined where it has to be told what was said. */
  private known: string | undefined;
  private running: Running | undefined;
  private queue: Queued[] = [];
  private number = 0;
  private ready: Promise<void>;
  private isReady: () => void = () => undefined;

  constructor(
    private readonly extension: vscode.Uri,
    private readonly client: () => LanguageClient | undefined,
    private readonly edits: Edits,
    private readonly history: History,
  ) {
    this.ready = new Promise((resolve) => (this.isReady = resolve));
    this.conversation = history.all()[0] ?? begun();
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
        this.show();
        break;
      case "ask":
        await this.ask(message.text, message.withSelection);
        break;
      case "stop":
        this.stop();
        break;
      case "unqueue":
        this.queue = this.queue.filter(({ id }) => id !== message.id);
        this.tellQueue();
        break;
      case "refer":
        await this.refer();
        break;
      case "copy":
        await vscode.env.clipboard.writeText(message.text);
        break;
      case "insert":
        await vscode.window.activeTextEditor?.insertSnippet(new vscode.SnippetString().appendText(message.text));
        break;
      case "apply":
        await this.edits.apply(message.text);
        break;
      case "new":
        await openNew(message.text, message.language);
        break;
      case "terminal":
        toTerminal(message.text);
        break;
    }
  }

  private tell(message: Record<string, unknown>): void {
    void this.view?.webview.postMessage(message);
  }

  /** Shows the whole conversation anew. */
  private show(): void {
    this.tell({ type: "reset" });
    for (const { question, answer } of this.conversation.turns) {
      this.tell({ type: "begin", text: question });
      this.tell({ type: "end", text: answer });
    }
    if (this.running) {
      this.tell({ type: "begin", text: this.running.question });
      this.tell({ type: "text", text: this.running.said });
    }
    this.tellQueue();
    this.tellSelection();
  }

  private tellQueue(): void {
    this.tell({ type: "queue", items: this.queue.map(({ id, text }) => ({ id, text })) });
  }

  /** Puts the questions that wait back into the box, where there will be no answer to wait for. */
  private returnQueue(): void {
    const text = this.queue.map((queued) => queued.text).join("\n");
    this.queue = [];
    this.tellQueue();
    this.tell({ type: "draft", text });
  }

  private tellSelection(): void {
    const editor = vscode.window.activeTextEditor;
    const { start, end, isEmpty } = editor?.selection ?? { start: undefined, end: undefined, isEmpty: true };
    const name = editor && !isEmpty ? `${vscode.workspace.asRelativePath(editor.document.uri)}:${start!.line + 1}-${end!.line + 1}` : "";
    this.tell({ type: "selection", name });
  }

  /** Shows the chat, and asks where there is something to ask. */
  async open(text = ""): Promise<void> {
    await vscode.commands.executeCommand("codegemma.chat.focus");
    await this.ready;
    if (text) {
      await this.ask(text, true);
    }
  }

  /** Adds a file that the user chooses to the question. */
  async refer(): Promise<void> {
    const text = await pickReference();
    await this.open();
    if (text) {
      this.tell({ type: "refer", text });
    }
  }

  /** The server has begun anew, and knows of nothing. */
  serverChanged(state: State): void {
    if (state === State.Starting) {
      this.known = undefined;
    }
  }

  /** Asks, or has the question wait until the answer is there that is being written. */
  private async ask(text: string, withSelection: boolean): Promise<void> {
    const about = this.about(text, withSelection);
    if (this.running) {
      this.number += 1;
      this.queue.push({ id: this.number, text, about });
      this.tellQueue();
    } else {
      await this.answer(text, about);
    }
  }

  private async answer(text: string, about: Record<string, unknown>): Promise<void> {
    const client = this.client();
    this.tell({ type: "begin", text });
    if (!client || !vscode.workspace.isTrusted) {
      this.tell({ type: "end", problem: client ? UNTRUSTED : "The server is not running; see the status bar." });
      this.returnQueue();
      return;
    }
    this.number += 1;
    const token = `codegemma-chat-${this.number}`;
    const cancel = new vscode.CancellationTokenSource();
    const running: Running = (this.running = { cancel, question: text, said: "" });
    const { conversation } = this;
    const isShown = (): boolean => this.conversation.id === conversation.id;
    const tell = (message: Record<string, unknown>): void => (isShown() ? this.tell(message) : undefined);
    const heard = client.onProgress(PARTIAL, token, ({ text: more }) => {
      running.said += more;
      tell({ type: "text", text: more });
    });
    try {
      const place = this.known === undefined ? { history: conversation.turns.slice(-MOST_TURNS) } : { conversationId: this.known };
      const params = { text, ...place, partialResultToken: token, ...about };
      const answer = await client.sendRequest<Answer>("codegemma/chat", params, cancel.token);
      running.said = answer.text;
      this.known = isShown() ? answer.conversationId : this.known;
      tell({ type: "end", text: answer.text, note: inOwnWords(answer.note ?? "") });
      if (answer.edit) {
        await this.edits.preview(answer.edit);
      }
    } catch (error) {
      const stopped = cancel.token.isCancellationRequested;
      this.known = isShown() ? undefined : this.known; // it may have heard the question or not
      tell({ type: "end", problem: stopped ? "Stopped." : messageOf(error) });
      if (!stopped && isShown()) {
        this.returnQueue();
      }
    } finally {
      heard.dispose();
    }
    await this.keep(conversation, { question: text, answer: running.said }).finally(() => this.next(running));
  }

  /** Goes on with the question that waits, once an answer is over; not where another conversation was begun. */
  private next(running: Running): void {
    if (this.running !== running) {
      return;
    }
    this.running = undefined;
    const queued = this.queue.shift();
    if (queued) {
      this.tellQueue();
      void this.answer(queued.text, queued.about);
    }
  }

  private async keep(conversation: Conversation, turn: Turn): Promise<void> {
    if (turn.answer.trim()) {
      const kept = { id: conversation.id, turns: [...conversation.turns, turn], at: Date.now() };
      if (this.conversation.id === kept.id) {
        this.conversation = kept;
      }
      await this.history.keep(kept);
    }
  }

  /** What the question is about: the selection, for commands also the place of the cursor. */
  private about(text: string, withSelection: boolean): Record<string, unknown> {
    const editor = vscode.window.activeTextEditor;
    const isCommand = text.trimStart().startsWith("/");
    if (!editor || !(withSelection || isCommand)) {
      return {};
    }
    const selection = {
      uri: editor.document.uri.toString(),
      version: editor.document.version,
      range: { start: editor.selection.start, end: editor.selection.end },
    };
    return { selection, references: isCommand || editor.selection.isEmpty ? [] : [selection] };
  }

  stop(): void {
    this.running?.cancel.cancel();
  }

  /** Goes on with another conversation: a new one, where none is given. */
  async go(conversation: Conversation = begun()): Promise<void> {
    this.stop();
    this.running = undefined;
    const { known } = this;
    this.conversation = conversation;
    this.known = undefined;
    this.show();
    this.returnQueue();
    if (known !== undefined) {
      // A server that is gone has forgotten it.
      await this.client()?.sendRequest("codegemma/forgetConversation", { conversationId: known }).catch(() => undefined);
    }
  }

  /** Lets the user choose an earlier conversation. */
  async choose(): Promise<void> {
    const conversation = await this.history.pick(async (id) => (id === this.conversation.id ? this.go() : undefined));
    if (conversation) {
      await this.go(conversation);
      await this.open();
    }
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
    <section id="greeting" hidden>
      <h1>Ask about your code</h1>
      <p>Select some code and ask, or try one of these:</p>
      <ul>
        <li><button type="button" class="quiet" data-ask="/explain">Explain the code at the cursor</button></li>
        <li><button type="button" class="quiet" data-draft="/edit ">Change the selected code…</button></li>
        <li><button type="button" class="quiet" data-do="refer">Ask about a file…</button></li>
      </ul>
      <p>
        The model sees this conversation, the code that you select, and the files that you add. Commands such as
        <code>/explain</code> also see the code around the cursor. Nothing leaves this machine, and no file changes
        before you accept a diff.
      </p>
    </section>
    <main id="log" role="log" aria-live="polite" tabindex="0"></main>
    <ul id="queue" aria-label="Questions that wait" hidden></ul>
    <form id="form">
      <label id="about" hidden><input id="with" type="checkbox" checked /> <span></span></label>
      <textarea id="question" rows="2" disabled aria-label="Ask CodeGemma" placeholder="Ask, or /explain /fix /doc /tests /edit"></textarea>
      <div class="row">
        <button id="send" type="submit">Ask</button>
        <button id="stop" type="button" hidden>Stop</button>
        <button id="refer" type="button" class="quiet">Add file…</button>
      </div>
    </form>
    <script nonce="${nonce}" src="${of("dist", "page.js").toString()}"></script>
  </body>
</html>`;
  }
}

function begun(): Conversation {
  return { id: randomUUID(), turns: [], at: Date.now() };
}

/** Opens code as a new file, which has no name yet. */
async function openNew(content: string, language: string): Promise<void> {
  const known = (await vscode.languages.getLanguages()).includes(language);
  const document = await vscode.workspace.openTextDocument(known ? { content, language } : { content });
  await vscode.window.showTextDocument(document);
}

/** Types a command of one line into the terminal. Only the user runs it: what would is left out. */
function toTerminal(command: string): void {
  const terminal = vscode.window.activeTerminal ?? vscode.window.createTerminal();
  terminal.show();
  terminal.sendText(command.trim().replace(/\p{Cc}/gu, ""), false);
}
