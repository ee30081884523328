/** The choice of a model from the server's list. A model that is not on the machine is downloaded first. */
import { randomUUID } from "node:crypto";
import * as vscode from "vscode";
import { WorkDoneProgress, type LanguageClient } from "vscode-languageclient/node";
import { unset } from "./config";
import { messageOf } from "./errors";

/** As the server lists it; sizes are in bytes, `memory` is 0 where it is unknown. */
interface Model {
  name: string;
  about: string;
  use: string;
  size: number;
  memory: number;
  licence: string;
  licencePage: string;
  installed: boolean;
  inUse: boolean;
  usedFor: string;
  fits: boolean;
}

interface Choice {
  name: string;
  chat: boolean;
  /** What is to be downloaded. */
  missing?: Model;
}

type Entry = vscode.QuickPickItem & { choice?: Choice };

const TITLE = "CodeGemma: choose a model";
const FOR_CHAT: vscode.QuickInputButton = {
  iconPath: new vscode.ThemeIcon("comment-discussion"),
  tooltip: "Use it for chat and edits",
};

/** Lets the user choose a model, downloads it where it is missing, and has the server use it. */
export async function chooseModel(client: LanguageClient | undefined): Promise<void> {
  if (!client?.isRunning()) {
    void vscode.window.showWarningMessage("CodeGemma: The server is not running; see the status bar.");
    return;
  }
  try {
    const choice = await pick(client);
    const isThere = choice && (!choice.missing || ((await isWanted(choice.missing)) && (await download(client, choice.name))));
    if (isThere) {
      await use(client, choice);
    }
  } catch (error) {
    await explain(messageOf(error), client);
  }
}

async function pick(client: LanguageClient): Promise<Choice | undefined> {
  const list = vscode.window.createQuickPick<Entry>();
  list.title = TITLE;
  list.placeholder = "A model for suggestions; its button takes it for chat and edits";
  list.matchOnDescription = true;
  list.busy = true;
  list.show();
  const chosen = new Promise<Choice | undefined>((resolve) => {
    list.onDidTriggerItemButton(({ item }) => {
      resolve(item.choice && { ...item.choice, chat: true });
      list.hide();
    });
    list.onDidAccept(() => {
      const item = list.selectedItems[0];
      if (item) {
        resolve(item.choice);
        list.hide();
      }
    });
    list.onDidHide(() => resolve(undefined));
  });
  try {
    const { models } = await client.sendRequest<{ models: Model[] }>("codegemma/models", {});
    list.items = entries(models);
    list.busy = false;
    return await chosen;
  } finally {
    list.dispose();
  }
}

function entries(models: Model[]): Entry[] {
  const group = (title: string, ofGroup: Model[]): Entry[] =>
    ofGroup.length ? [{ label: title, kind: vscode.QuickPickItemKind.Separator }, ...ofGroup.map(entry)] : [];
  const missing = models.filter(({ installed }) => !installed);
  return [
    { label: "$(sparkle) auto", description: "the best model on this machine", choice: { name: "auto", chat: false } },
    ...group("on this machine", models.filter(({ installed }) => installed)),
    ...group("to download", missing.filter(({ fits }) => fits)),
    ...group("to download, but needs more memory than this machine has", missing.filter(({ fits }) => !fits)),
  ];
}

function entry(model: Model): Entry {
  const { name, about, use, size, memory, licence, installed, inUse, usedFor } = model;
  const needs = [memory ? `${bytes(memory)} of memory` : "", licence && `licence: ${licence}`].filter(Boolean);
  return {
    label: `$(${inUse ? "check" : installed ? "circle-outline" : "cloud-download"}) ${name}`,
    description: [bytes(size), usedFor].filter(Boolean).join(", "),
    detail: [...needs, about].join(" · "),
    buttons: use === "completion" || use === "chat" ? [] : [FOR_CHAT],
    choice: { name, chat: use === "chat", ...(installed ? {} : { missing: model }) },
  };
}

function bytes(number: number): string {
  return number < 1e9 ? `${Math.round(number / 1e6)} MB` : `${(number / 1e9).toFixed(1)} GB`;
}

/** Says what a model costs and under which terms it is, and asks whether it is to be downloaded. */
async function isWanted(model: Model): Promise<boolean> {
  const memory = `It needs ${bytes(model.memory)} of memory${model.fits ? "." : ", more than this machine has."}`;
  const terms = `Its licence, ${model.licence}, applies to you once you download it.`;
  const yes = { label: `$(cloud-download) Download ${bytes(model.size)}`, detail: `${memory} ${terms}` };
  const read = { label: "$(link-external) Read the licence", detail: model.licencePage };
  const title = `CodeGemma: ${model.name} is not on this machine`;
  for (;;) {
    const chosen = await vscode.window.showQuickPick([yes, read], { title, ignoreFocusOut: true });
    if (chosen !== read) {
      return chosen === yes;
    }
    await vscode.env.openExternal(vscode.Uri.parse(model.licencePage));
  }
}

/** Downloads a model; false where the user cancelled it. Raises what the server says. */
async function download(client: LanguageClient, name: string): Promise<boolean> {
  const options = { location: vscode.ProgressLocation.Notification, title: `CodeGemma: downloading ${name}`, cancellable: true };
  return vscode.window.withProgress(options, async (progress, cancelled) => {
    const token = `codegemma-pull-${randomUUID()}`;
    let reported = 0;
    const heard = client.onProgress(WorkDoneProgress.type, token, (step) => {
      if (step.kind !== "end") {
        const percentage = step.percentage ?? reported;
        progress.report({ message: `${percentage}%${step.message ? `, ${step.message}` : ""}`, increment: percentage - reported });
        reported = percentage;
      }
    });
    try {
      await client.sendRequest("codegemma/pullModel", { name, workDoneToken: token }, cancelled);
      return true;
    } catch (error) {
      if (cancelled.isCancellationRequested) {
        return false;
      }
      throw error;
    } finally {
      heard.dispose();
    }
  });
}

async function use(client: LanguageClient, { name, chat }: Choice): Promise<void> {
  const { message } = await client.sendRequest<{ message: string }>("codegemma/useModel", { name, chat });
  const setting = chat ? "chatModel" : "model";
  const removed = `${name} is chosen, and codegemma.${setting}, which goes before the choice, is no longer set.`;
  void vscode.window.showInformationMessage(`CodeGemma: ${(await unset(setting)) ? removed : message}`);
}

/** Says what went wrong, with the page that it names: for a gated model, the one on which its terms are accepted. */
async function explain(message: string, client: LanguageClient): Promise<void> {
  const page = /https:\/\/[^\s,;]+/.exec(message)?.[0];
  const actions = page ? ["Open the page", "Choose again"] : ["Choose again"];
  const chosen = await vscode.window.showErrorMessage(`CodeGemma: ${message}`, ...actions);
  if (chosen === "Open the page" && page) {
    await vscode.env.openExternal(vscode.Uri.parse(page));
  } else if (chosen) {
    await chooseModel(client);
  }
}
