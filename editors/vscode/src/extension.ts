/** CodeGemma in VS Code: everything is in the server; this shows it. */
import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import { Chat } from "./chat";
import { SECTION, setting } from "./config";
import { Edits, type EditParams } from "./edits";
import { findServer, installServer } from "./install";
import { createClient, type ServerStatus } from "./server";
import { StatusBar } from "./status";

let client: LanguageClient | undefined;

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
  const chat = new Chat(context.extensionUri, current, edits);
  context.subscriptions.push(log, bar, edits, vscode.window.registerWebviewViewProvider("codegemma.chat", chat));

  async function ask(action: string, instruction = ""): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    if (editor) {
      await edits.ask(action, editor.document, editor.selection, instruction);
    }
  }

  async function askWithWords(params?: EditParams): Promise<void> {
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

  async function start(): Promise<void> {
    let program = findServer(context);
    if (!program && (await vscode.window.showInformationMessage("CodeGemma needs its server.", "Install"))) {
      try {
        program = await installServer(context, log);
      } catch (error) {
        await problem(error instanceof Error ? error.message : String(error));
      }
    }
    if (!program) {
      bar.show({ busy: false, kind: "Error", message: "The server is not installed; see codegemma.serverPath." });
      return;
    }
    client = createClient(program, log, (status) => bar.show(status), intercept);
    try {
      await client.start();
    } catch (error) {
      bar.show({ busy: false, kind: "Error", message: `The server cannot be started (${String(error)}).` });
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
    newChat: () => chat.begin(),
    stopChat: () => chat.stop(),
    acceptEdit: () => edits.accept(),
    discardEdit: () => edits.discard(),
    commitMessage: () => commitMessage(),
    toggle: () =>
      vscode.workspace.getConfiguration(SECTION).update("enabled", !setting("enabled", true), vscode.ConfigurationTarget.Global),
    showLog: () => log.show(),
    showMenu: () => menu(bar.status),
    restart: async () => {
      await client?.dispose();
      await start();
    },
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

  async function commitMessage(): Promise<void> {
    const folder = vscode.workspace.workspaceFolders?.[0]?.uri.toString();
    const params = { command: "codegemma.commit", arguments: folder ? [folder] : [] };
    try {
      const answer = await client?.sendRequest<{ text: string }>("workspace/executeCommand", params);
      const git = vscode.extensions.getExtension("vscode.git")?.exports?.getAPI?.(1);
      const box = git?.repositories?.[0]?.inputBox;
      if (box && answer) {
        box.value = answer.text;
      } else if (answer) {
        await vscode.env.clipboard.writeText(answer.text);
        void vscode.window.showInformationMessage(`CodeGemma: copied: ${answer.text}`);
      }
    } catch (error) {
      await problem(error instanceof Error ? error.message : String(error));
    }
  }

  void start();
  return { status: () => bar.status, edits, client: current };
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
