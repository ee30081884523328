/** What a question may refer to, chosen from a list. */
import * as vscode from "vscode";

const MOST = 2000;
const EXCLUDED = "**/{node_modules,.git,.hg,.venv,venv,__pycache__,dist,target,.cache}/**";

type Entry = vscode.QuickPickItem & { path?: string };

function entry(uri: vscode.Uri): Entry {
  const shown = vscode.workspace.asRelativePath(uri);
  const name = shown.split("/").at(-1) ?? shown;
  // A path within one of several folders would not say in which.
  const path = (vscode.workspace.workspaceFolders?.length ?? 0) > 1 ? uri.fsPath : shown;
  return { label: name, description: shown.slice(0, -name.length - 1), path };
}

/** The words by which the server knows a file that the user chooses; undefined for none. */
export async function pickReference(): Promise<string | undefined> {
  const open = vscode.window.tabGroups.all
    .flatMap(({ tabs }) => tabs)
    .flatMap(({ input }) => (input instanceof vscode.TabInputText && vscode.workspace.getWorkspaceFolder(input.uri) ? [input.uri] : []));
  const known = new Set(open.map(String));
  const found = async (): Promise<Entry[]> => {
    const others = (await vscode.workspace.findFiles("**/*", EXCLUDED, MOST)).filter((uri) => !known.has(String(uri)));
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
