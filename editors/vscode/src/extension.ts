/** CodeGemma in VS Code: everything is in the server; this shows it. */
import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import { Chat } from "./chat";
import { SECTION, setting, toggle } from "./config";
import { Edits, type EditParams } from "./edits";
import { messageOf } from "./errors";
import { History } from "./history";
import { findServer, installServer, installSource } from "./install";
import { createClient, type ServerStatus } from "./server";
import { StatusBar } from "./status";

let client: LanguageClient | undefined;

/** As much of the Git extension's interface as is used. */
interface Repository {
  readonly rootUri: vscode.Uri;
  readonly inputBox: { value: string };
}

/** Commands of the server, as code actions carry them, that have a view of their own here. */
const SHOWN = new Map([
  ["codegemma.fix", "fix"],
  ["codegemma.doc", "doc"],
  ["codegemma.tests", "tests"],
  ["codegemma.edit", "edit"],
]);

export interface Testing {
  status(): ServerStatus;
  edits: Edits;
  client(): LanguageClient | undefined;
}

export async function activate(context: vscode.ExtensionContext): Promise<Testing> {
  const log = vscode.window.createOutputChannel("CodeGemma", { log: true });
  const bar = new StatusBar();
  const current = (): LanguageClient | undefined => client;
  const edits = new Edits(current);
  const chat = new Chat(context.extensionUri, current, edits, new History(context.workspaceState));
  context.subscriptions.push(log, bar, edits, chatView(chat));

  async function ask(action: string, instruction = ""): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    if (editor && isTrusted()) {
      await edits.ask(action, editor.document, editor.selection, instruction);
    }
  }

  async function askWithWords(params?: EditParams): Promise<void> {
    if (!isTrusted()) {
      return;
    }
    const words = await vscode.window.showInputBox({ title: "CodeGemma", prompt: "What is to be changed?" });
    if (words && params) {
      await edits.request({ ...params, instruction: words });
    } else if (words) {
      await ask("edit", words);
    }
  }

  function intercept(command: string, args: unknown[]): Thenable<unknown> | undefined {
    const action = SHOWN.get(command);
    const params = { ...(args[0] as EditParams), action: action ?? "" };
    if (command === "codegemma.explain") {
      return chat.open("/explain");
    }
    return action === undefined ? undefined : action === "edit" ? askWithWords(params) : edits.request(params);
  }

  /** Asks whether the server is to be installed, and does it; undefined where there is none then. */
  async function install(): Promise<string | undefined> {
    bar.show({ busy: false, kind: "Error", message: "The server is not installed; restart it to install it." });
    if (!installSource()) {
      const where = "CodeGemma needs its server: name its program, or the checkout to install it from.";
      if (await vscode.window.showErrorMessage(where, "Open settings")) {
        await vscode.commands.executeCommand("workbench.action.openSettings", "codegemma.serverPath");
      }
      return undefined;
    }
    const question = "CodeGemma needs its server: pip installs it into an environment of its own, which takes some minutes.";
    if (!(await vscode.window.showInformationMessage(question, "Install"))) {
      return undefined;
    }
    const found = findServer(context); // the answer may have taken long
    if (found) {
      return found;
    }
    bar.show({ busy: true, kind: "Inactive", message: "Installing the server" });
    try {
      return await installServer(context, log);
    } catch (error) {
      const message = messageOf(error);
      bar.show({ busy: false, kind: "Error", message });
      await problem(message);
      return undefined;
    }
  }

  let starts = 0;

  /** Starts the server, in the place of one that runs. Of two starts at once the later one counts. */
  async function start(): Promise<void> {
    const number = ++starts;
    const isCurrent = (): boolean => number === starts;
    const before = client;
    client = undefined;
    // One that hangs, or did not start, cannot be disposed of; it is left behind.
    await before?.dispose().catch(() => undefined);
    const program = findServer(context) ?? (await install());
    if (!program || !isCurrent()) {
      return;
    }
    const told = (status: ServerStatus): void => (isCurrent() ? bar.show(status) : undefined);
    const own = (client = createClient(program, log, told, intercept, isCurrent));
    own.onDidChangeState(({ newState }) => isCurrent() && chat.serverChanged(newState));
    try {
      await own.start();
    } catch (error) {
      told({ busy: false, kind: "Error", message: `The server cannot be started (${String(error)}).` });
    }
  }

  async function problem(message: string): Promise<void> {
    if (await vscode.window.showErrorMessage(`CodeGemma: ${message}`, "Show log")) {
      log.show();
    }
  }

  const commands: Record<string, () => unknown> = {
    editSelection: () => askWithWords(),
    fixSelection: () => ask("fix"),
    documentSelection: () => ask("doc"),
    testSelection: () => ask("tests"),
    explainSelection: () => chat.open("/explain"),
    openChat: () => chat.open(),
    newChat: () => chat.go(),
    chatHistory: () => chat.choose(),
    addReference: () => chat.refer(),
    stopChat: () => chat.stop(),
    acceptEdit: () => edits.accept(),
    discardEdit: () => edits.discard(),
    commitMessage: (source?: { rootUri?: vscode.Uri }) => commitMessage(source?.rootUri),
    toggle: () => toggle(),
    showLog: () => log.show(),
    showMenu: () => menu(bar.status),
    restart: () => start(),
  };
  for (const [name, action] of Object.entries(commands)) {
    context.subscriptions.push(vscode.commands.registerCommand(`codegemma.${name}`, action));
  }
  context.subscriptions.push(
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration(SECTION)) {
        bar.draw();
      }
    }),
  );

  /** Writes a commit message for a repository into its box, unless the user has written there. */
  async function commitMessage(root?: vscode.Uri): Promise<void> {
    if (!isTrusted()) {
      return;
    }
    const repositories: Repository[] = vscode.extensions.getExtension("vscode.git")?.exports?.getAPI?.(1)?.repositories ?? [];
    const repository = repositories.find(({ rootUri }) => rootUri.toString() === root?.toString()) ?? repositories[0];
    const folder = root ?? repository?.rootUri ?? vscode.workspace.workspaceFolders?.[0]?.uri;
    const params = { command: "codegemma.commit", arguments: folder ? [folder.toString()] : [] };
    const before = repository?.inputBox.value ?? "";
    const progress = { location: vscode.ProgressLocation.Notification, title: "CodeGemma writes", cancellable: true };
    await vscode.window.withProgress(progress, async (_, token) => {
      try {
        const answer = await client?.sendRequest<{ text: string }>("workspace/executeCommand", params, token);
        if (answer && repository && !before.trim() && repository.inputBox.value === before) {
          repository.inputBox.value = answer.text;
        } else if (answer) {
          await vscode.env.clipboard.writeText(answer.text);
          void vscode.window.showInformationMessage(`CodeGemma: copied: ${answer.text}`);
        }
      } catch (error) {
        if (!token.isCancellationRequested) {
          void problem(messageOf(error));
        }
      }
    });
  }

  void start();
  return { status: () => bar.status, edits, client: current };
}

/** The chat's view; what is written in it stays while it is hidden. */
function chatView(chat: Chat): vscode.Disposable {
  return vscode.window.registerWebviewViewProvider("codegemma.chat", chat, {
    webviewOptions: { retainContextWhenHidden: true },
  });
}

/** Whether there is more than suggestions; says so where there is not. */
function isTrusted(): boolean {
  if (!vscode.workspace.isTrusted) {
    void vscode.window.showWarningMessage("CodeGemma: in an untrusted workspace there are suggestions only; trust it to edit.");
  }
  return vscode.workspace.isTrusted;
}

async function menu(status: ServerStatus): Promise<void> {
  const entries = [
    { label: setting("enabled", true) ? "Turn suggestions off" : "Turn suggestions on", command: "codegemma.toggle" },
    { label: "Open the chat", command: "codegemma.openChat" },
    { label: "Settings", command: "workbench.action.openSettings", argument: "codegemma" },
    { label: "Show the log", command: "codegemma.showLog" },
    { label: "Restart the server", command: "codegemma.restart" },
  ];
  const chosen = await vscode.window.showQuickPick(entries, { title: `CodeGemma: ${status.message}` });
  if (chosen) {
    await vscode.commands.executeCommand(chosen.command, chosen.argument);
  }
}

export async function deactivate(): Promise<void> {
  await client?.stop();
}
