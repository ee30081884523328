/** The user's settings: the server's own, which are passed on, and the extension's. */
import * as vscode from "vscode";

export const SECTION = "codegemma";

/** The documents in which anything is suggested. */
export const SELECTOR = [{ scheme: "file" }, { scheme: "untitled" }];

/** Settings that the extension keeps to itself; the server knows all the others. */
const OWN = new Set(["serverPath", "installSource", "disabledFiles"]);

export function setting<T>(name: string, fallback: T, resource?: vscode.Uri): T {
  return vscode.workspace.getConfiguration(SECTION, resource).get<T>(name, fallback);
}

/**
 * The server's settings: what is set here, and null for what is not, which the server then takes from the user's own
 * configuration file. Of one that is left out it would go on with what it was started with.
 */
export function serverSettings(): Record<string, unknown> {
  const configuration = vscode.workspace.getConfiguration(SECTION);
  const found: Record<string, unknown> = {};
  for (const name of Object.keys(configuration)) {
    const about = configuration.inspect(name);
    if (!OWN.has(name) && about?.defaultValue !== undefined) {
      found[name] = isSet(about) ? configuration.get(name) : null;
    }
  }
  return found;
}

type Inspected = NonNullable<ReturnType<vscode.WorkspaceConfiguration["inspect"]>>;

/** Whether a setting has a value of the user's or the workspace's, and not only its default. */
function isSet(about: Inspected): boolean {
  return [about.globalValue, about.workspaceValue, about.workspaceFolderValue].some((value) => value !== undefined);
}

/** Takes back what the user has set for a setting that workspaces cannot set; whether there was anything. */
export async function unset(name: string): Promise<boolean> {
  const configuration = vscode.workspace.getConfiguration(SECTION);
  if (configuration.inspect(name)?.globalValue === undefined) {
    return false;
  }
  await configuration.update(name, undefined, vscode.ConfigurationTarget.Global);
  return true;
}

/** Turns suggestions on or off, where the setting that holds is set. */
export async function toggle(): Promise<void> {
  const configuration = vscode.workspace.getConfiguration(SECTION);
  const about = configuration.inspect<boolean>("enabled");
  const isOfWorkspace = vscode.workspace.isTrusted && about?.workspaceValue !== undefined;
  const target = isOfWorkspace ? vscode.ConfigurationTarget.Workspace : vscode.ConfigurationTarget.Global;
  await configuration.update("enabled", !setting("enabled", true), target);
}

/** Whether suggestions are off for a file by `codegemma.disabledFiles`. */
export function isDisabled(document: vscode.TextDocument): boolean {
  return setting<string[]>("disabledFiles", [], document.uri).some(
    (pattern) => vscode.languages.match({ pattern }, document) > 0,
  );
}
