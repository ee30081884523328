/** The user's settings: the server's own, which are passed on, and the extension's. */
import * as vscode from "vscode";

export const SECTION = "codegemma";

/** Settings that the extension keeps to itself; the server knows all the others. */
const OWN = new Set(["serverPath", "installSource", "disabledFiles"]);

export function setting<T>(name: string, fallback: T): T {
  return vscode.workspace.getConfiguration(SECTION).get<T>(name, fallback);
}

/** What the user has set of the server's settings; what they have not is left to the server's defaults. */
export function serverSettings(): Record<string, unknown> {
  const configuration = vscode.workspace.getConfiguration(SECTION);
  const found: Record<string, unknown> = {};
  for (const name of Object.keys(configuration)) {
    const about = configuration.inspect(name);
    if (!OWN.has(name) && about?.defaultValue !== undefined) {
      const value = configuration.get(name);
      if (value !== about.defaultValue) {
        found[name] = value;
      }
    }
  }
  return found;
}

/** Whether suggestions are off for a file by `codegemma.disabledFiles`. */
export function isDisabled(document: vscode.TextDocument): boolean {
  return setting<string[]>("disabledFiles", []).some(
    (pattern) => vscode.languages.match({ pattern }, document) > 0,
  );
}
