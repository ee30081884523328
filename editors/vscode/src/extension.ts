/** CodeGemma in VS Code: everything is in the server; this shows it. */
import * as vscode from "vscode";
import { State, type LanguageClient } from "vscode-languageclient/node";
import { Chat } from "./chat";
import { SECTION, setting, toggle } from "./config";
import { Edits, type EditParams } from "./edits";
import { inOwnWords, messageOf } from "./errors";
import { Growth } from "./growth";
import { History } from "./history";
import { findServer, installServer } from "./install";
import { chooseModel } from "./models";
import { showPrompt } from "./prompt";
import { watchRest } from "./rest";
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

/** Settings that say where the server is, or what it is installed from. */
const SERVER_NAMES = ["serverPath", "installSource"];
const SERVER_SETTINGS = ["workbench.action.openSettings", "codegemma.serverPath"] as const;

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
  const growth = new Growth(context.extension.id);
  context.subscriptions.push(log, bar, edits, growth, chatView(chat));

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
    bar.show({ busy: false, kind: "Error", message: "The server is not installed; click here to install it." });
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
    const told = (status: ServerStatus): void => {
      if (isCurrent()) {
        bar.show(status);
        void tellWhere();
      }
    };
    const own = (client = createClient(program, log, told, intercept, growth, isCurrent));
    own.onDidChangeState(({ newState }) => isCurrent() && chat.serverChanged(newState));
    try {
      await own.start();
      askForWhatWasTyped();
    } catch (error) {
      const message = `The server cannot be started (${messageOf(error)}); see the log, or correct codegemma.serverPath.`;
      told({ busy: false, kind: "Error", message });
    }
  }

  /** Shows where the model runs. Other windows come and go, so it is asked again when one turns to this window. */
  async function tellWhere(): Promise<void> {
    const asked = client;
    if (bar.status.busy || asked?.state !== State.Running) {
      bar.showWhere("");
      return;
    }
    const where = await asked.sendRequest<{ message: string } | null>("codegemma/engines").catch(() => null);
    if (asked === client && !bar.status.busy) {
      bar.showWhere(where?.message ?? "");
    }
  }

  context.subscriptions.push(watchRest(current));
  context.subscriptions.push(vscode.window.onDidChangeWindowState(({ focused }) => focused && void tellWhere()));

  /**
   * Asks for a suggestion where somebody typed while the server started: VS Code asks when text changes only. What was
   * typed before the extension ran was told to nobody, and may be saved by now; but a text that was changed has left
   * its first version.
   */
  function askForWhatWasTyped(): void {
    const document = vscode.window.activeTextEditor?.document;
    if (document && (document.isDirty || document.version > 1)) {
      void vscode.commands.executeCommand("editor.action.inlineSuggest.trigger");
    }
  }

  async function problem(message: string): Promise<void> {
    if (await vscode.window.showErrorMessage(`CodeGemma: ${message}`, "Show log")) {
      log.show();
    }
  }

  /** Hides a suggestion that the user does not want, and tells the server, which does not show it there again. */
  async function dismiss(): Promise<void> {
    const itemId = await growth.hide();
    if (itemId !== undefined && client?.state === State.Running) {
      await client.sendNotification("codegemma/didDismiss", { itemId });
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
    // The buttons above the diff: VS Code would write the key of a command that has one below the words, and cut it.
    acceptShownEdit: () => edits.accept(),
    discardShownEdit: () => edits.discard(),
    hideSuggestion: () => dismiss(),
    commitMessage: (source?: { rootUri?: vscode.Uri }) => commitMessage(source?.rootUri),
    chooseModel: () => chooseModel(client),
    showPrompt: () => showPrompt(client),
    toggle: () => toggle(),
    showLog: () => log.show(),
    showMenu: () => menu(bar.status, findServer(context) !== undefined),
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
      if (!client && SERVER_NAMES.some((name) => event.affectsConfiguration(`${SECTION}.${name}`))) {
        void start();
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

async function menu(status: ServerStatus, isInstalled: boolean): Promise<void> {
  const [openSettings, named] = SERVER_SETTINGS;
  const missing = [
    { label: "Install the server", command: "codegemma.restart" },
    { label: "Say where the server is", command: openSettings, argument: named },
  ];
  const entries: { label: string; command: string; argument?: string }[] = [
    ...(isInstalled ? [] : missing),
    { label: setting("enabled", true) ? "Turn suggestions off" : "Turn suggestions on", command: "codegemma.toggle" },
    { label: "Open the chat", command: "codegemma.openChat" },
    ...(isInstalled ? [{ label: "Choose a model", command: "codegemma.chooseModel" }] : []),
    { label: "Settings", command: openSettings, argument: "codegemma" },
    { label: "Show the log", command: "codegemma.showLog" },
    ...(isInstalled ? [{ label: "Restart the server", command: "codegemma.restart" }] : []),
  ];
  const chosen = await vscode.window.showQuickPick(entries, { title: `CodeGemma: ${inOwnWords(status.message)}` });
  if (chosen) {
    await vscode.commands.executeCommand(chosen.command, chosen.argument);
  }
}

export async function deactivate(): Promise<void> {
  await client?.stop();
}
