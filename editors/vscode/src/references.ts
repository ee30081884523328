/** What a question may refer to, chosen from a list. */
import * as vscode from "vscode";

const MOST = 2000;

type Entry = vscode.QuickPickItem & { path?: string };

function entry(uri: vscode.Uri): Entry {
  const path = vscode.workspace.asRelativePath(uri, false);
  const name = path.split("/").at(-1) ?? path;
  return { label: name, description: path.slice(0, -name.length - 1), path };
}

/** The words by which the server knows a file that the user chooses; undefined for none. */
export async function pickReference(): Promise<string | undefined> {
  const open = vscode.window.tabGroups.all
    .flatMap(({ tabs }) => tabs)
    .flatMap(({ input }) => (input instanceof vscode.TabInputText && input.uri.scheme === "file" ? [input.uri] : []));
  const known = new Set(open.map(String));
  const found = async (): Promise<Entry[]> => {
    const others = (await vscode.workspace.findFiles("**/*", undefined, MOST)).filter((uri) => !known.has(String(uri)));
    const byPath = others.map(entry).sort((a, b) => (a.path ?? "").localeCompare(b.path ?? ""));
    const separator = (label: string): Entry => ({ label, kind: vscode.QuickPickItemKind.Separator });
    return [separator("open"), ...open.map(entry), separator("workspace"), ...byPath];
  };
  const title = "CodeGemma: add a file to the question";
  const chosen = await vscode.window.showQuickPick(found(), { title, matchOnDescription: true });
  if (chosen?.path === undefined) {
    return undefined;
  }
  return /[\s"]|[.,;:!?)]$/.test(chosen.path) ? `#file:"${chosen.path}"` : `#file:${chosen.path}`;
}
